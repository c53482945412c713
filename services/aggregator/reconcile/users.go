package reconcile

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/stats/sketch"
	"github.com/hp-analytics/hp-analytics/services/aggregator/reconcile/internal/postgres"
)

// nobody is the user of the rows of erased users. It counts in sums, and is no user.
const nobody = 0

// userCheck compares the sketches and sets of users of a span with those made from the users in the raw rows.
type userCheck struct {
	span     postgres.Span
	found    *findings
	current  postgres.Users // whose sketch one is
	one      *sketches      // nil before the first
	day      *daySets       // of the current day
	products map[int64]bool // of the raw rows
	names    map[int64]bool
	wrong    []wrongUsers
}

// wrongUsers is a difference whose key is not looked up yet.
type wrongUsers struct {
	table string
	of    postgres.Users
	text  string
}

func checkUsers(ctx context.Context, s postgres.Snapshot, span postgres.Span, f *findings) error {
	c := &userCheck{span: span, found: f, products: map[int64]bool{}, names: map[int64]bool{}}
	if err := s.Users(ctx, span, c.add); err != nil {
		return err
	}
	if err := c.finish(); err != nil {
		return err
	}
	for _, w := range c.wrong {
		key, err := s.Label(ctx, span.Project, w.of.Kind, w.of.Number)
		if err != nil {
			return err
		}
		f.fault(postgres.Fault{Project: span.Project.Slug, Table: w.table, Day: w.of.Day, Key: key, Text: w.text})
	}
	return s.MissingReferences(ctx, span.Project, slices.Sorted(maps.Keys(c.products)), slices.Sorted(maps.Keys(c.names)), f.fault)
}

// add takes the next users. They come in the order of the day, the kind and the number.
func (c *userCheck) add(u postgres.Users) error {
	if c.one == nil || u.Kind != c.current.Kind || u.Number != c.current.Number || !u.Day.Equal(c.current.Day) {
		if err := c.next(u); err != nil {
			return err
		}
	}
	switch {
	case u.Sketch != nil:
		return c.one.addStored(u.Sketch)
	case u.Set != nil:
		c.day.addStored(u.Chunk, u.Set)
		return nil
	}
	switch u.Kind {
	case postgres.OfProduct:
		c.products[u.Number] = true
	case postgres.OfName:
		c.names[u.Number] = true
	case postgres.OfDay:
	}
	if !u.Folded {
		return nil
	}
	if u.Kind != postgres.OfProduct {
		c.found.rows += int64(len(u.Users))
	}
	for _, user := range u.Users {
		if user == nobody {
			continue
		}
		if u.Kind != postgres.OfDay {
			c.one.recounted.Insert(user)
		}
		if u.Kind != postgres.OfProduct {
			c.day.recounted.add(user)
		}
	}
	return nil
}

// next compares what is complete and begins with the next product, name or day.
func (c *userCheck) next(u postgres.Users) error {
	if c.one != nil {
		if err := c.compare(u.Day); err != nil {
			return err
		}
	}
	if c.one == nil || !u.Day.Equal(c.current.Day) {
		c.day = newDaySets()
	}
	c.current, c.one = postgres.Users{Day: u.Day, Kind: u.Kind, Number: u.Number}, newSketches()
	return nil
}

// compare compares the current sketch, and the sets of its day if the next one is of another day.
func (c *userCheck) compare(nextDay time.Time) error {
	if c.current.Kind != postgres.OfDay {
		if err := c.compareSketches(); err != nil {
			return err
		}
	}
	if nextDay.Equal(c.current.Day) {
		return nil
	}
	day := postgres.Users{Day: c.current.Day, Kind: postgres.OfDay}
	if c.current.Kind != postgres.OfDay { // the day has neither orders nor anything stored
		c.one = newSketches()
	}
	c.current = day
	for user := range c.day.recounted.all {
		c.one.recounted.Insert(user)
	}
	if err := c.compareSketches(); err != nil {
		return err
	}
	c.found.compared += int64(len(c.day.stored.chunks))
	if text := c.day.difference(); text != "" {
		c.wrong = append(c.wrong, wrongUsers{"stats.daily_user_sets", day, text})
	}
	return nil
}

func (c *userCheck) finish() error {
	if c.one == nil {
		return nil
	}
	return c.compare(time.Time{})
}

func (c *userCheck) compareSketches() error {
	c.found.compared++
	table := map[postgres.Kind]string{
		postgres.OfProduct: "stats.product_daily_users", postgres.OfName: "stats.name_daily_users", postgres.OfDay: "stats.daily_users",
	}[c.current.Kind]
	if c.one.broken != "" {
		c.wrong = append(c.wrong, wrongUsers{table, c.current, "unique users cannot be read: " + c.one.broken})
		return nil
	}
	equal, err := sketch.Equal(c.one.stored, c.one.recounted)
	if err != nil {
		return fmt.Errorf("%s %s: %w", table, c.current.Day.Format(time.DateOnly), err)
	}
	if !equal {
		c.wrong = append(c.wrong, wrongUsers{table, c.current,
			fmt.Sprintf("unique users are about %d, recounted about %d", c.one.stored.Estimate(), c.one.recounted.Estimate())})
	}
	return nil
}

// sketches are the two sides of a comparison.
type sketches struct {
	stored, recounted *sketch.Sketch
	broken            string // why a stored sketch cannot be read; empty if all can
}

func newSketches() *sketches { return &sketches{stored: sketch.New(), recounted: sketch.New()} }

// addStored merges the stored sketch of a lane.
func (s *sketches) addStored(data []byte) error {
	lane := sketch.New()
	if err := lane.UnmarshalBinary(data); err != nil {
		s.broken = err.Error()
		return nil //nolint:nilerr // an unreadable sketch is a difference, and others may follow
	}
	return s.stored.Merge(lane)
}
