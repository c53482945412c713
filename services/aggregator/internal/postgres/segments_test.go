package postgres_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/stats/segment"
)

// segmentRanges are ranges of days that a reader asks for, by name: each day of the model, and what has a block with it.
func segmentRanges() map[string][2]time.Time {
	ranges := map[string][2]time.Time{"all": {firstDay.AddDate(0, 0, -10), firstDay.AddDate(0, 0, 12)}, "from the second on": {firstDay.AddDate(0, 0, 1), firstDay.AddDate(0, 0, 12)}}
	for i := range 4 {
		day := firstDay.AddDate(0, 0, i)
		ranges[day.Format(time.DateOnly)] = [2]time.Time{day, day}
	}
	return ranges
}

// readSegments returns the sums of products over each range, as a reader sums them up.
func readSegments(t *testing.T, tx pgx.Tx) map[string][]int64 {
	t.Helper()
	s := sums{values: map[string][]int64{}}
	for project := range int16(2) {
		for name, days := range segmentRanges() {
			for _, table := range segment.Tables {
				q := segment.Query{Project: project + 1, First: days[0], Last: days[1], Columns: table.Columns}
				err := table.Each(t.Context(), tx, q, func(stored segment.Stored) error {
					return addStored(s, stored.Segment, strings.TrimSpace(fmt.Sprintln(project+1, name, stored.Currency)))
				})
				if err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	return s.values
}

// addStored adds the products of a segment, and its totals.
func addStored(s sums, stored segment.Segment, key string) error {
	totals := make([]int64, len(stored.Columns))
	if err := segment.AddTotals(totals, stored.Totals); err != nil {
		return err
	}
	s.add(totals, key, "totals")
	columns := make([]*segment.Sums, len(stored.Columns))
	for i, column := range stored.Columns {
		columns[i] = segment.NewSums()
		if err := columns[i].Add(stored.Products, column); err != nil {
			return err
		}
	}
	for product := range columns[0].All() {
		values := make([]int64, len(columns))
		for i := range columns {
			values[i] = columns[i].Of(product)
		}
		s.add(values, key, product)
	}
	return nil
}

var productDay = regexp.MustCompile(`^(\d+) product (\d+) ([A-Z]{3} )?(\d{4}-\d\d-\d\d)\n$`)

// inSegments returns what segments must say of the rollups of a model.
func inSegments(rollups map[string][]int64) map[string][]int64 {
	s := sums{values: map[string][]int64{}}
	for key, values := range rollups {
		found := productDay.FindStringSubmatch(key)
		if found == nil {
			continue
		}
		day, err := time.Parse(time.DateOnly, found[4])
		if err != nil {
			panic(err)
		}
		for name, days := range segmentRanges() {
			if !day.Before(days[0]) && !day.After(days[1]) {
				of := strings.TrimSpace(found[1] + " " + name + " " + found[3])
				s.add(values, of, found[2])
				s.add(values, of, "totals")
			}
		}
	}
	return s.values
}
