package reconcile

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hp-analytics/hp-analytics/services/aggregator/reconcile/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/reconcile/internal/recount"
)

// errTooLarge means that the recount of a span takes too much memory.
var errTooLarge = errors.New("the span is too large")

// spanCheck compares the rollups of a project with its raw rows.
type spanCheck struct {
	budget     int // the bytes that the recount of a span may take
	references *references
}

// run checks a span. When that takes too much memory, it divides the span.
func (check spanCheck) run(ctx context.Context, s postgres.Snapshot, span postgres.Span, f *findings) error {
	smaller := divide(span)
	c := comparison{spanCheck: check, snapshot: s, span: span}
	if len(smaller) == 0 {
		c.budget = 0
	}
	err := c.run(ctx)
	if !errors.Is(err, errTooLarge) {
		f.add(&c.found)
		return err
	}
	c = comparison{} // what it has counted is garbage while the smaller ones are
	for _, span := range smaller {
		if err := check.run(ctx, s, span, f); err != nil {
			return err
		}
	}
	return nil
}

// comparison compares the rollups of a span with its raw rows.
type comparison struct {
	spanCheck // a budget of 0 is no bound

	snapshot postgres.Snapshot
	span     postgres.Span
	recount  *recount.Recount
	since    int // how many rows were added since their bytes were counted
	found    findings
	places   []postgres.Place // of the differences, which are not named yet
}

func (c *comparison) run(ctx context.Context) error {
	clock, err := c.snapshot.Clock(ctx, c.span)
	if err != nil {
		return err
	}
	c.recount = recount.New(c.span.Part, clock)
	if err := c.count(ctx); err != nil {
		return err
	}
	c.found.rows = c.recount.Rows
	if err := c.users(ctx); err != nil {
		return err
	}
	if err := c.sums(ctx); err != nil {
		return err
	}
	if err := c.name(ctx); err != nil {
		return err
	}
	products, names := c.references.unknown(c.recount)
	return c.snapshot.MissingReferences(ctx, c.span.Project, products, names, c.found.fault)
}

func (c *comparison) count(ctx context.Context) error {
	err := c.snapshot.Events(ctx, c.span, func(e *recount.Event) error {
		c.recount.AddEvent(e)
		return c.added(0)
	})
	if err != nil {
		return err
	}
	err = c.snapshot.OrderLines(ctx, c.span, func(l *recount.Line) error {
		c.recount.AddOrderLine(l)
		return c.added(0)
	})
	if err != nil {
		return err
	}
	return c.snapshot.RefundLines(ctx, c.span, func(l *recount.Line) error {
		c.recount.AddRefundLine(l)
		return c.added(0)
	})
}

// added fails when the recount, and bytes that were taken from it, have become too large.
func (c *comparison) added(bytes int) error {
	const every = 500
	if c.since++; c.since < every {
		return nil
	}
	c.since = 0
	if c.budget > 0 && c.recount.Bytes()+bytes > c.budget {
		return errTooLarge
	}
	return nil
}

func (c *comparison) sums(ctx context.Context) error {
	for _, rollup := range recount.Rollups {
		if !c.span.Part.Covers(rollup.Subject) {
			continue
		}
		table := c.recount.Table(rollup)
		err := c.snapshot.Sums(ctx, c.span, rollup, func(key recount.Key, values *recount.Values) error {
			table.AddStored(key, values)
			return c.added(table.Bytes())
		})
		if err != nil {
			return err
		}
		c.found.compared += int64(table.Len())
		for _, row := range table.Differences() {
			var differ []string
			for i, column := range rollup.Values {
				if row.Stored[i] != row.Recounted[i] {
					differ = append(differ, fmt.Sprintf("%s is %d, recounted %d", column, row.Stored[i], row.Recounted[i]))
				}
			}
			c.differs(rollup.View, postgres.PlaceOf(row.Key, rollup.Hourly, rollup.Subject, rollup.Of), strings.Join(differ, "; "))
		}
	}
	return nil
}

func (c *comparison) users(ctx context.Context) error {
	for _, rollup := range recount.AllSketches {
		if !c.span.Part.Covers(rollup.Subject) {
			continue
		}
		groups := c.recount.Groups(rollup)
		err := c.snapshot.Sketches(ctx, c.span, rollup, func(key recount.Key, data []byte) error {
			groups.AddStored(key, data)
			return c.added(groups.Bytes())
		})
		if err != nil {
			return err
		}
		c.found.compared += int64(groups.Len())
		for _, unlike := range groups.Differences() {
			text := fmt.Sprintf("unique users are about %d, recounted about %d", unlike.Stored, unlike.Recounted)
			if unlike.Broken != nil {
				text = "unique users cannot be read: " + unlike.Broken.Error()
			}
			c.differs(rollup.Table, postgres.PlaceOf(unlike.Key, false, rollup.Subject, rollup.Of), text)
		}
	}
	if !c.span.Part.Covers(recount.NoSubject) {
		return nil
	}
	return c.sets(ctx)
}

func (c *comparison) sets(ctx context.Context) error {
	sets := c.recount.Sets()
	err := c.snapshot.Sets(ctx, c.span, func(day recount.Date, chunk int32, set []byte) error {
		sets.AddStored(day, chunk, set)
		return nil
	})
	if err != nil {
		return err
	}
	c.found.compared += int64(sets.Len())
	for _, unlike := range sets.Differences() {
		text := fmt.Sprintf("%d users are missing, %d too many", unlike.Missing, unlike.TooMany)
		if unlike.Broken != nil {
			text = "the users cannot be read: " + unlike.Broken.Error()
		}
		c.differs("daily_user_sets", postgres.Place{Day: unlike.Day.Time()}, text)
	}
	return nil
}

// differs notes a difference in a rollup.
func (c *comparison) differs(table string, place postgres.Place, text string) {
	c.places = append(c.places, place)
	c.found.fault(postgres.Fault{Project: c.span.Project.Slug, Table: "stats." + table, Text: text})
}

// name looks up the names of what differs.
func (c *comparison) name(ctx context.Context) error {
	if len(c.places) == 0 {
		return nil
	}
	labels, err := c.snapshot.Labels(ctx, c.span.Project, c.places)
	if err != nil {
		return err
	}
	for i, label := range labels {
		c.found.differences[i].Day, c.found.differences[i].Key = label.Day, label.Key
	}
	return nil
}
