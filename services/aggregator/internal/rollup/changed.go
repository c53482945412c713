package rollup

import (
	"maps"

	"github.com/hp-analytics/hp-analytics/internal/protocol"
)

// Changed is the set of fields of protocol.VersionsKey that need a new token, because cached answers are stale. The number
// of fields is bounded, so it stays small however much has changed.
type Changed map[string]struct{}

// Note adds the fields that depend on a changed rollup row: of a product, of a user, or, with neither, of a day.
func (c Changed) Note(product, user *string) {
	c[protocol.TopField] = struct{}{}
	if product != nil {
		c[protocol.ProductField(*product)] = struct{}{}
	}
	if user != nil {
		c[protocol.UserField(*user)] = struct{}{}
	}
}

// Merge adds the fields of other.
func (c Changed) Merge(other Changed) { maps.Copy(c, other) }

// Note adds what deltas change.
func (d *Deltas) Note(changed Changed) {
	for key := range d.products {
		product := key.ProductID.String()
		changed.Note(&product, nil)
	}
	for key := range d.users {
		changed.Note(nil, &key.UserID)
	}
}
