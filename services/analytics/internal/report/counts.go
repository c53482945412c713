package report

import (
	"math"
	"slices"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/stats"
)

// Counts are the numbers of something over some time. One definition serves every endpoint.
type Counts struct {
	stats.Counts

	Revenue Revenue
	Users   Users
}

// Users is a number of distinct users.
type Users struct {
	Known  bool // false for hours, of which no users are stored
	Exact  bool // false for an estimate
	Number int64
}

// ErrTooLarge is the answer when a number does not fit into 64 bits.
var ErrTooLarge = errs.New(errs.Invalid, "number_too_large", "A number of this answer is too large. Choose a shorter range.",
	errs.Field{Pointer: "/query/from", Code: "number_too_large", Detail: "A number of this range exceeds 9223372036854775807."})

// Add adds o to c, apart from Users: different days can have the same users. A sum that is too large is ErrTooLarge.
func (c *Counts) Add(o Counts) error {
	if err := c.Counts.Add(&o.Counts); err != nil {
		return ErrTooLarge.Because(err)
	}
	for _, a := range o.Revenue {
		if err := c.Revenue.Add(a.Currency, a.Money); err != nil {
			return err
		}
	}
	return nil
}

// Rows is the number of events and orders behind c, and at most the largest int64. There are never more users than rows.
func (c *Counts) Rows() int64 {
	events, purchases := c.Counts[stats.Events], c.Counts[stats.Purchases]
	return events + min(purchases, math.MaxInt64-events)
}

// Estimated returns c with an estimated number of users, limited to the number of c's rows.
func (c Counts) Estimated(users int64) Counts {
	c.Users = Users{Known: true, Number: min(users, c.Rows())}
	return c
}

// Exactly returns c with an exact number of users.
func (c Counts) Exactly(users int64) Counts {
	c.Users = Users{Known: true, Exact: true, Number: users}
	return c
}

// Metric is what products and users are ranked by: the column of a counter, UniqueUsers, or a kind of money.
type Metric string

const (
	// Views is the default for products.
	Views Metric = "views"
	// Events is the default for users.
	Events Metric = "events"
	// UniqueUsers is the one count that is not a counter.
	UniqueUsers Metric = "unique_users"

	// Gross is what was earned in one currency.
	Gross Metric = "gross_minor"
	// Refunded is what was paid back in one currency.
	Refunded Metric = "refunded_minor"
	// Net is Gross less Refunded.
	Net Metric = "net_minor"
)

// Counter returns the counter that m names. It reports false for all other metrics.
func (m Metric) Counter() (stats.Counter, bool) {
	i := slices.Index(stats.Columns(), string(m))
	return stats.Counter(i), i >= 0
}

// IsMoney reports whether m is money, and so needs a currency.
func (m Metric) IsMoney() bool { return m == Gross || m == Refunded || m == Net }

// IsSales reports whether m shows what is sold.
func (m Metric) IsSales() bool {
	counter, ok := m.Counter()
	return m.IsMoney() || ok && (counter == stats.Purchases || counter == stats.Units)
}
