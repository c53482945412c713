package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
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
	limiter *ratelimit.Limiter // nil: no limit
	project *ratelimit.Limiter // nil: no limit
	header  http.Header        // of the answer, where the quotas are described
	caller  authn.Principal
	taken   int
}

func (s *Server) bill(ctx context.Context, w http.ResponseWriter, caller authn.Principal) *bill {
	limiter := s.limits.Others
	if caller.Guest {
		limiter = s.limits.Users
	}
	b := &bill{ctx: ctx, limiter: limiter, header: w.Header(), caller: caller}
	if caller.Project.EventsPerSecond > 0 {
		b.project = s.limits.Projects
	}
	return b
}

// bytes charges for a body of n bytes so far.
func (b *bill) bytes(n int64) error { return b.events(int((n + unitBytes - 1) / unitBytes)) }

// events charges for n events. It returns TooMany if a quota does not hold what was not charged before.
func (b *bill) events(n int) error {
	if b.limiter == nil && b.project == nil || n <= b.taken {
		return nil
	}
	b.header.Del("Ratelimit") // describes the quotas before
	b.header.Del("Ratelimit-Policy")
	if b.limiter != nil {
		if err := b.limiter.Allow(b.ctx, b.header, b.caller.QuotaKey(), n-b.taken); err != nil {
			return err
		}
	}
	if err := b.ofProject(n - b.taken); err != nil {
		if b.limiter != nil {
			b.limiter.Refund(b.ctx, b.caller.QuotaKey(), n-b.taken)
		}
		return err
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

// settle gives everything back if the request failed for a reason that is not the client's: what is sent again then is charged once.
// The handler defers it.
func (b *bill) settle(err *error) {
	if b.taken == 0 || !errs.Is(*err, errs.Unavailable) {
		return
	}
	b.header.Del("Ratelimit") // describes the quotas before
	b.header.Del("Ratelimit-Policy")
	ctx := context.WithoutCancel(b.ctx) // the reason may be that the request took too long
	if b.limiter != nil {
		b.limiter.Refund(ctx, b.caller.QuotaKey(), b.taken)
	}
	if b.project != nil {
		b.project.RefundOf(ctx, b.projectKey(), b.taken, b.projectQuota())
	}
	b.taken = 0
}

// ofProject takes n units of the quota that all callers of the project share.
func (b *bill) ofProject(n int) error {
	if b.project == nil {
		return nil
	}
	return b.project.AllowOf(b.ctx, b.header, b.projectKey(), n, b.projectQuota())
}

func (b *bill) projectKey() string { return strconv.Itoa(int(b.caller.Project.ID)) }

// projectQuota always holds the largest request.
func (b *bill) projectQuota() ratelimit.Quota {
	limit := b.caller.Project.EventsPerSecond * int(ProjectWindow/time.Second)
	return ratelimit.Quota{Limit: limit, Burst: max(limit, MaxUnits), Lease: limit / leaseShare}
}

// leaseShare is which part of the quota of a project a process takes in advance: a tenth of a second's.
const leaseShare = 100
