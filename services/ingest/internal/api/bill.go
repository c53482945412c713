package api

import (
	"context"
	"net/http"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/ratelimit"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// unitBytes is how many bytes of a body, decoded or as they were sent, take one unit of the quota if its events take less.
// To decode that many costs about as much as to store one event, so a caller cannot cost more by sending garbage.
const unitBytes = 4 << 10

// MaxUnits is what the largest request takes of a quota.
const MaxUnits = max(event.MaxBatch, event.MaxBatchBytes/unitBytes)

// bill is what a request has taken of its caller's quota: one unit for each event, or one for each unitBytes begun if that is
// more. Bytes are charged while they are read, so a body costs its caller whatever it turns out to hold.
type bill struct {
	ctx     context.Context
	limiter *ratelimit.Limiter // nil: no limit
	header  http.Header        // of the answer, where the quota is described
	caller  string
	taken   int
}

func (s *Server) bill(ctx context.Context, w http.ResponseWriter, caller authn.Principal) *bill {
	limiter := s.limits.Others
	if caller.Guest {
		limiter = s.limits.Users
	}
	return &bill{ctx: ctx, limiter: limiter, header: w.Header(), caller: caller.ID()}
}

// bytes charges for a body of n bytes so far.
func (b *bill) bytes(n int64) error { return b.events(int((n + unitBytes - 1) / unitBytes)) }

// events charges for n events. It returns TooMany if the quota does not hold what was not charged before.
func (b *bill) events(n int) error {
	if b.limiter == nil || n <= b.taken {
		return nil
	}
	b.header.Del("Ratelimit") // describes the quota before
	b.header.Del("Ratelimit-Policy")
	if err := b.limiter.Allow(b.ctx, b.header, b.caller, n-b.taken); err != nil {
		return err
	}
	b.taken = n
	return nil
}
