package event

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// MaxImportDays bounds the days of an import.
const MaxImportDays = 20_000

// MaxOpenWeeks bounds the weeks of history for which a project has partitions made: 19 years. The weeks of the last month do not count,
// nor those for which another project had them made.
const MaxOpenWeeks = 1_000

// MaxNewWeeks bounds the weeks of history that one request has prepared. Each is a new table with its indexes, which takes some 10 ms, and
// other requests that need one wait.
const MaxNewWeeks = 32

// ErrPreparing is the answer to a request with events of more weeks than it may have prepared. MaxNewWeeks of them are prepared when it
// is returned, so a request that is sent again gets further.
var ErrPreparing = errs.New(errs.Unavailable, "weeks_being_prepared", fmt.Sprintf("The storage for the weeks of these events is being prepared, %d weeks with each request. "+
	"Send the request again, or send events in the order of their time.", MaxNewWeeks))

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
	// ErrDayDropped or ErrTooManyWeeks. It returns ErrPreparing when more than MaxNewWeeks weeks were missing.
	PrepareDays(ctx context.Context, project int16, times []time.Time) ([]error, error)
}

// prepared is how old an event may be without looking whether its day is prepared. There are few weeks that are younger, and the
// aggregator or a former event has nearly always prepared them.
const prepared = 31 * 24 * time.Hour

// prepare prepares the days of old events, which can be many, and refuses the events of days that take none.
func (r *Recorder) prepare(ctx context.Context, caller Caller, drafts []Draft, events []Event) error {
	var times []time.Time
	var index []int
	for i := range drafts {
		if !drafts[i].Refused() && time.Since(events[i].TS) > prepared {
			times, index = append(times, events[i].TS), append(index, i)
		}
	}
	if len(times) == 0 {
		return nil
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
