// Package report defines the answers of analytics: ranges of days, counts, rankings, series and summaries. It is independent
// of how they are stored and served.
package report

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

const (
	// MaxDays bounds the length of a range, and so the rollup rows that one answer reads.
	MaxDays = 400
	// MaxHourlyDays bounds the length of a range by the hour, of which there are more rows.
	MaxHourlyDays = 31
	// defaultDays is the length of a range without a start.
	defaultDays = 30
)

// The days that a range can have. Intervals and previous periods that begin somewhat earlier can still be written in RFC 3339.
var (
	earliest = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(9998, 12, 31, 0, 0, 0, 0, time.UTC)
)

// Range is an inclusive range of days of a project. A day is its date at midnight UTC.
type Range struct{ From, To time.Time }

// NewRange returns a valid range. Without to it ends today; without from it has defaultDays days, or as many as interval allows.
func NewRange(from, to *time.Time, today time.Time, interval Interval) (Range, error) {
	most := MaxDays
	if interval == Hourly {
		most = MaxHourlyDays
	}
	r := Range{To: today}
	if to != nil {
		r.To = date(*to)
	}
	r.From = r.To.AddDate(0, 0, 1-defaultDays)
	if from != nil {
		r.From = date(*from)
	}
	switch {
	case r.From.Before(earliest) || r.To.After(latest):
		return Range{}, invalidRange("range_out_of_time", "The range must be between 1970-01-01 and 9998-12-31.")
	case r.From.After(r.To):
		return Range{}, invalidRange("range_reversed", "from must not be after to.")
	case r.Days() > most:
		return Range{}, invalidRange("range_too_long", fmt.Sprintf("The range may have at most %d days, this one has %d.", most, r.Days()))
	}
	return r, nil
}

func invalidRange(code, detail string) error {
	return errs.New(errs.Invalid, code, detail, errs.Field{Pointer: "/query/from", Code: code, Detail: detail})
}

func date(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

// Days is the number of days in r.
func (r Range) Days() int { return int(r.To.Sub(r.From)/(24*time.Hour)) + 1 }

// String returns the range as two days, for keys and logs.
func (r Range) String() string {
	return r.From.Format(time.DateOnly) + ".." + r.To.Format(time.DateOnly)
}

// Meta is the freshness of an answer and whose days it has. It comes from the same snapshot of the database as the numbers.
type Meta struct {
	AsOf          time.Time // when the snapshot was taken, by the database's clock
	CompleteUntil time.Time // the watermark: every write to the project received before this, and so every one answered before it, is in the numbers or among FailedEvents
	PendingEvents int64     // stored rows of the project that are not in the numbers yet
	FailedEvents  int64     // stored rows of the project that could not be counted and are set aside
	Zones         []ZoneDay // the time zones of the range, in order; never empty
}

// Product names a product in an answer.
type Product struct {
	ID   uuid.UUID
	SKU  string
	Name string
}

// Summary has the counts of one user.
type Summary struct {
	UserID string
	Range  Range
	Totals Counts
	Days   []SummaryDay // days on which anything was counted, oldest first
	Meta   Meta
}

// SummaryDay has the counts of one user on one day.
type SummaryDay struct {
	Row
	ZoneChanged bool // as of a Point
}

// Summarize adds up the days of a user.
func Summarize(c Calendar, userID string, r Range, days []Row, meta Meta) (Summary, error) {
	s := Summary{UserID: userID, Range: r, Days: make([]SummaryDay, 0, len(days)), Meta: meta}
	for _, d := range days {
		row := Row{At: d.At, Counts: d.Counts.Exactly(min(1, d.Counts.Rows()))}
		s.Days = append(s.Days, SummaryDay{Row: row, ZoneChanged: c.ZoneChangedOn(d.At)})
		if err := s.Totals.Add(d.Counts); err != nil {
			return Summary{}, err
		}
	}
	s.Totals = s.Totals.Exactly(min(1, s.Totals.Rows()))
	return s, nil
}
