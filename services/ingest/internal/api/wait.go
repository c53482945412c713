package api

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

var errBadWait = event.Refusal([]errs.Field{{
	Pointer: "/query/wait", Code: event.CodeInvalidValue, Detail: "wait must be aggregated, once, or left out.",
}})

// checkWait refuses what is not known, before anything is stored: the client expects something that would not happen.
func checkWait(wait *Wait) error {
	if wait != nil && *wait != WaitForAggregated {
		return errBadWait
	}
	return nil
}

// duplicatesTimeout bounds the look-up of what duplicates wait for: it comes on top of the wait itself, and both must end
// before a process that stops gives up on its requests.
const duplicatesTimeout = 2 * time.Second

// eventsFolded waits until all that a request has sent is part of the numbers: its batch, and the batches that hold what
// was stored before. It reports false when that takes too long. Nothing that happens here is an error, because the
// events are stored.
func (s *Server) eventsFolded(ctx context.Context, batch uuid.UUID, verdicts ...event.Verdict) bool {
	batches := []uuid.UUID{batch}
	var before []event.Identity
	for _, v := range verdicts {
		if v.Status == event.Duplicate {
			before = append(before, v.Identity)
		}
	}
	if len(before) > 0 {
		lookUp, cancel := context.WithTimeout(ctx, duplicatesTimeout)
		pending, err := s.store.PendingOf(lookUp, before)
		cancel()
		if err != nil {
			s.logger.WarnContext(ctx, "cannot wait for duplicates", "err", err)
			return false
		}
		batches = append(batches, pending...)
	}
	return s.folded.Wait(ctx, batches...)
}
