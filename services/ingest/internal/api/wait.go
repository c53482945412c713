package api

import (
	"context"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/admission"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// The refusals of the parameter, as the edge words them for the parameters that it checks.
var (
	errBadWait = event.Refusal([]errs.Field{{Pointer: "/query/wait", Code: "invalid_enum", Detail: `Must be one of ["aggregated"].`}})
	errWaits   = event.Refusal([]errs.Field{{Pointer: "/query/wait", Code: event.CodeInvalidValue, Detail: "Must be given once."}})
)

// checkWait refuses unknown values before anything is stored.
func checkWait(wait *Wait) error {
	if wait != nil && *wait != WaitForAggregated {
		return errBadWait
	}
	return nil
}

// duplicatesTimeout bounds the query for the batches of duplicates. It adds to the wait itself, and both must end before a
// stopping process cancels its requests.
const duplicatesTimeout = 2 * time.Second

// eventsFolded waits until all events of a request are part of the numbers: those of its own batch, and duplicates, which
// are in earlier batches. It reports false if that takes too long. Nothing here fails the request, because its events are
// stored.
func (s *Server) eventsFolded(ctx context.Context, batch int64, verdicts ...event.Verdict) bool {
	batches := []int64{batch}
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
			s.logger.WarnContext(ctx, "find the batches of duplicates", "err", err)
			return false
		}
		batches = append(batches, pending...)
	}
	return s.awaitFolded(ctx, batches...)
}

// awaitFolded waits until batches are part of the numbers, or reports false. A request that waits holds no slot: one query serves all
// of them, and INGEST_MAX_WAITS bounds them.
func (s *Server) awaitFolded(ctx context.Context, batches ...int64) bool {
	admission.Release(ctx)
	return s.folded.Wait(ctx, batches...)
}
