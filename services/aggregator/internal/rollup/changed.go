package rollup

import (
	"maps"

	"github.com/hp-analytics/hp-analytics/internal/protocol"
)

// Changed is the set of fields of protocol.VersionsKey that need a new token, because cached answers are stale. The number
// of fields is bounded, so it stays small however much has changed.
type Changed map[string]struct{}

// Note adds the fields that depend on a changed rollup row: that of its project and, if it has one, of its product or user.
func (c Changed) Note(key Key) {
	c[protocol.ProjectField(key.Project)] = struct{}{}
	if key.Product != 0 {
		c[protocol.ProductField(key.Product)] = struct{}{}
	}
	if key.User != 0 {
		c[protocol.UserField(key.User)] = struct{}{}
	}
}

// Merge adds the fields of other.
func (c Changed) Merge(other Changed) { maps.Copy(c, other) }

// Note adds what deltas change.
func (d *Deltas) Note(changed Changed) {
	for key, of := range d.days {
		changed.Note(Key{Project: key.project})
		for product := range of.products {
			changed.Note(Key{Project: key.project, Product: product})
		}
		for user := range of.users {
			changed.Note(Key{Project: key.project, User: user})
		}
		for product := range of.productMoney {
			changed.Note(Key{Project: key.project, Product: product.product})
		}
		for user := range of.userMoney {
			changed.Note(Key{Project: key.project, User: user.user})
		}
	}
}
