// Package report defines the answers of analytics: ranges of days, counts, rankings, series and summaries. It is independent
// of how they are stored and served.
package report

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/stats"
)

const (
	// MaxDays bounds the length of a range, and so the rollup rows that one answer reads.
	MaxDays = 400
	// defaultDays is the length of a range without a start.
	defaultDays = 30
)

// Counts are the numbers of a product, user or day over some time. One definition serves every endpoint.
type Counts struct {
	stats.Counts
	UniqueUsers int64 // estimated for products; 0 or 1 for a user
}

// ErrTooLarge is the answer when a number does not fit into 64 bits.
var ErrTooLarge = errs.New(errs.Invalid, "number_too_large", "A number of this answer is too large. Choose a shorter range.",
	errs.Field{Pointer: "/query/from", Code: "number_too_large", Detail: "A number of this range exceeds 9223372036854775807."})

// Add adds o to c, apart from UniqueUsers: different days can have the same users. A sum that is too large is ErrTooLarge.
func (c *Counts) Add(o Counts) error {
	if err := c.Counts.Add(&o.Counts); err != nil {
		return ErrTooLarge.Because(err)
	}
	return nil
}

// Rows is the number of raw rows behind c, and at most the largest int64. There are never more users than rows.
func (c *Counts) Rows() int64 {
	events, purchases := c.Counts[stats.Events], c.Counts[stats.Purchases]
	return events + min(purchases, math.MaxInt64-events)
}

// WithUsers returns c with the estimated number of users, limited to the number of c's rows.
func (c Counts) WithUsers(estimate int64) Counts {
	c.UniqueUsers = min(estimate, c.Rows())
	return c
}

// Metric is what products are ranked by: the column of a counter, or UniqueUsers.
type Metric string

const (
	// Views is the default.
	Views Metric = "views"
	// UniqueUsers is the one metric that is not a counter.
	UniqueUsers Metric = "unique_users"
)

// Counter returns the counter that m names. It reports false for UniqueUsers and for what is no metric.
func (m Metric) Counter() (stats.Counter, bool) {
	i := slices.Index(stats.Columns(), string(m))
	return stats.Counter(i), i >= 0
}

// Of returns the count that m names.
func (m Metric) Of(c Counts) int64 {
	if counter, ok := m.Counter(); ok {
		return c.Counts[counter]
	}
	return c.UniqueUsers
}

// Range is an inclusive range of UTC days.
type Range struct{ From, To time.Time }

// NewRange returns a valid range. Without to it ends today; without from it has defaultDays days.
func NewRange(from, to *time.Time, now time.Time) (Range, error) {
	r := Range{To: Day(now)}
	if to != nil {
		r.To = Day(*to)
	}
	r.From = r.To.AddDate(0, 0, 1-defaultDays)
	if from != nil {
		r.From = Day(*from)
	}
	switch {
	case r.From.After(r.To):
		return Range{}, invalidRange("range_reversed", "from must not be after to.")
	case r.Days() > MaxDays:
		return Range{}, invalidRange("range_too_long", fmt.Sprintf("The range may have at most %d days, this one has %d.", MaxDays, r.Days()))
	}
	return r, nil
}

func invalidRange(code, detail string) error {
	return errs.New(errs.Invalid, code, detail, errs.Field{Pointer: "/query/from", Code: code, Detail: detail})
}

// Day returns the start of the UTC day of t.
func Day(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

// Days is the number of days in r.
func (r Range) Days() int { return int(r.To.Sub(r.From)/(24*time.Hour)) + 1 }

// String returns the range as two days, for keys and logs.
func (r Range) String() string {
	return r.From.Format(time.DateOnly) + ".." + r.To.Format(time.DateOnly)
}

// Meta is the freshness of an answer. It comes from the same snapshot of the database as the numbers.
type Meta struct {
	AsOf          time.Time // when the snapshot was taken, by the database's clock
	CompleteUntil time.Time // the watermark: every write received before this, and so every one answered before it, is in the numbers or among FailedEvents
	PendingEvents int64     // stored events and purchases that are not in the numbers yet
	FailedEvents  int64     // stored events and purchases that could not be counted and are set aside
}

// Product names a product in an answer.
type Product struct {
	ID   uuid.UUID
	SKU  string
	Name string
}

// Top is a ranking of products, highest first.
type Top struct {
	Metric Metric
	Range  Range
	Items  []TopItem
	Exact  bool // no other product can belong into the ranking
	Meta   Meta
}

// TopItem is one place in a ranking.
type TopItem struct {
	Product Product
	Counts  Counts
}

// Summary has the counts of one user.
type Summary struct {
	UserID string
	Range  Range
	Totals Counts
	Days   []UserDay // days on which anything was counted, oldest first
	Meta   Meta
}

// UserDay is one day of a user.
type UserDay struct {
	Day    time.Time
	Counts Counts
}

// Summarize adds up the days of a user.
func Summarize(userID string, r Range, days []UserDay, meta Meta) (Summary, error) {
	s := Summary{UserID: userID, Range: r, Days: make([]UserDay, 0, len(days)), Meta: meta}
	for _, d := range days {
		s.Days = append(s.Days, UserDay{Day: d.Day, Counts: d.Counts.WithUsers(1)})
		if err := s.Totals.Add(d.Counts); err != nil {
			return Summary{}, err
		}
	}
	s.Totals = s.Totals.WithUsers(1)
	return s, nil
}
