package api

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/ratelimit"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/order"
)

// unitBytes is how many bytes of a body, decoded or as they were sent, take one unit of the quota if its events take less.
// To decode that many costs about as much as to store one event, so a caller cannot cost more by sending garbage.
const unitBytes = 4 << 10

// MaxUnits is what the largest request takes of a quota.
const MaxUnits = max(event.MaxBatch, event.MaxBatchBytes/unitBytes)

// ProjectWindow is the time over which the limit of a project is an average.
const ProjectWindow = 10 * time.Second

// bill is what a request has taken of the quotas of its caller and of its project: one unit for each event and each line, or one for each
// unitBytes begun if that is more. Bytes are charged while they are read, so a body costs its caller whatever it turns out to hold.
type bill struct {
	ctx     context.Context
	header  http.Header // of the answer, where the quotas are described
	charges []charge
	taken   int
}

// charge is a quota that a request takes from.
type charge struct {
	limiter *ratelimit.Limiter
	key     string
	quota   *ratelimit.Quota // nil: that of the limiter
}

func (s *Server) bill(ctx context.Context, w http.ResponseWriter, caller authn.Principal) *bill {
	b := &bill{ctx: ctx, header: w.Header()}
	switch {
	case caller.Guest:
		b.add(s.limits.Users, caller.QuotaKey(), nil)
	case caller.Public != nil: // the visitor's first: who has used up theirs takes nothing of the key's
		b.add(s.limits.Visitors, caller.QuotaKey()+":"+httpserver.ClientNetwork(ctx), nil)
		limit := cmp.Or(caller.Public.EventsPerMinute, s.limits.PublicKey)
		b.add(s.limits.Public, caller.QuotaKey(), &ratelimit.Quota{Limit: limit, Burst: limit, Lease: limit / leaseShare})
	default:
		b.add(s.limits.Others, caller.QuotaKey(), nil)
	}
	if limit := caller.Project.EventsPerSecond * int(ProjectWindow/time.Second); limit > 0 {
		// It always holds the largest request. A process takes a tenth of a second's in advance.
		quota := ratelimit.Quota{Limit: limit, Burst: max(limit, MaxUnits), Lease: limit / leaseShare}
		b.add(s.limits.Projects, strconv.Itoa(int(caller.Project.ID)), &quota)
	}
	return b
}

// billOfNetwork is for a request without credentials ahead of its body: what it sends counts for its network until a key is found.
func (s *Server) billOfNetwork(ctx context.Context, w http.ResponseWriter) *bill {
	b := &bill{ctx: ctx, header: w.Header()}
	b.add(s.limits.Unidentified, httpserver.ClientNetwork(ctx), nil)
	return b
}

// add adds a quota; a limiter that is nil has none.
func (b *bill) add(limiter *ratelimit.Limiter, key string, quota *ratelimit.Quota) {
	if limiter != nil {
		b.charges = append(b.charges, charge{limiter, key, quota})
	}
}

func (c *charge) take(ctx context.Context, header http.Header, n int) error {
	if c.quota == nil {
		return c.limiter.Allow(ctx, header, c.key, n)
	}
	return c.limiter.AllowOf(ctx, header, c.key, n, *c.quota)
}

func (c *charge) refund(ctx context.Context, n int) {
	if c.quota == nil {
		c.limiter.Refund(ctx, c.key, n)
	} else {
		c.limiter.RefundOf(ctx, c.key, n, *c.quota)
	}
}

// bytes charges for a body of n bytes so far.
func (b *bill) bytes(n int64) error { return b.events(int((n + unitBytes - 1) / unitBytes)) }

// events charges for n events. It returns TooMany if a quota does not hold what was not charged before.
func (b *bill) events(n int) error {
	if len(b.charges) == 0 || n <= b.taken {
		return nil
	}
	b.header.Del("Ratelimit") // describes the quotas before
	b.header.Del("Ratelimit-Policy")
	for i := range b.charges {
		if err := b.charges[i].take(b.ctx, b.header, n-b.taken); err != nil {
			for before := range i {
				b.charges[before].refund(b.ctx, n-b.taken)
			}
			return err
		}
	}
	b.taken = n
	return nil
}

// lines charges for the lines of orders and refunds, each of which is stored as an event is, up to what the largest request may take.
func (b *bill) lines(drafts []order.Draft) error {
	n := 0
	for i := range drafts {
		n += max(1, len(drafts[i].Lines))
	}
	return b.events(min(n, MaxUnits))
}

// settle gives everything back if the request failed for a reason that is not the client's: what is sent again then is charged once. A
// webhook without a secret is charged, because anybody who knows its address can send it.
// The handler defers it.
func (b *bill) settle(err *error) {
	if errs.Is(*err, errs.Unavailable) && !errors.Is(*err, errUnsigned) {
		b.giveBack()
	}
}

// giveBack takes back what was charged.
func (b *bill) giveBack() {
	if b.taken == 0 {
		return
	}
	b.header.Del("Ratelimit") // describes the quotas before
	b.header.Del("Ratelimit-Policy")
	ctx := context.WithoutCancel(b.ctx) // the reason may be that the request took too long
	for i := range b.charges {
		b.charges[i].refund(ctx, b.taken)
	}
	b.taken = 0
}

// leaseShare is which part of a quota a process takes in advance.
const leaseShare = 100
