package event

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// MaxImportDays bounds the days of an import.
const MaxImportDays = 20_000

// MaxOpenWeeks bounds the weeks of history for which a project has partitions made: 19 years. The weeks of the last month do not count,
// nor those for which another project had them made.
const MaxOpenWeeks = 1_000

// ErrUnknownImport is the answer to events of an import that does not run.
var ErrUnknownImport = errs.New(errs.Invalid, "unknown_import", "There is no such import, or it is finished. Announce it with POST /imports.",
	errs.Field{Pointer: "/header/Import", Code: "unknown_import", Detail: "Is no import that runs."})

// Import is an import of history: events of its days may be of any age.
type Import struct {
	Project int16
	ID      uuid.UUID
	// First and Last are its first and its last day: midnight in UTC.
	First, Last time.Time
	BegunAt     time.Time
	FinishedAt  *time.Time // nil while it runs
	ProvenAt    *time.Time // when reconcile found its numbers right; nil until then
}

// covers reports whether ts is on one of the days. No day is one of a nil import.
func (i *Import) covers(ts time.Time) bool {
	return i != nil && !ts.Before(i.First) && ts.Before(i.Last.AddDate(0, 0, 1))
}

// Days prepares the storage of days.
type Days interface {
	// PrepareDays prepares for events of some times. Without it the first commit with an event of a day does it, while the requests
	// that share this commit wait. It returns for each time why its day takes no events of the project, or nil if it takes them:
	// ErrDayDropped or ErrTooManyWeeks.
	PrepareDays(ctx context.Context, project int16, times []time.Time) ([]error, error)
}

// prepare prepares the days of the events of an import, which can be many, and refuses the events of days that take none.
func (r *Recorder) prepare(ctx context.Context, caller Caller, drafts []Draft, events []Event) error {
	if caller.Import == nil {
		return nil
	}
	var times []time.Time
	var index []int
	for i := range drafts {
		if !drafts[i].Refused() {
			times, index = append(times, events[i].TS), append(index, i)
		}
	}
	reasons, err := r.days.PrepareDays(ctx, caller.Project.ID, times)
	if err != nil {
		return err
	}
	for n, i := range index {
		drafts[i].refuseDay(reasons[n])
	}
	return nil
}
