package rollup_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/internal/protocol/facts"
	"github.com/hp-analytics/hp-analytics/internal/stats"
	"github.com/hp-analytics/hp-analytics/internal/stats/sketch"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/rollup"
)

// The clock agrees with package localtime at every quarter of an hour of years with many changes, whatever it was asked before.
func TestClockIsThatOfTheZone(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"UTC", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns", "Australia/Lord_Howe", "America/Havana", "Pacific/Apia", "Africa/Casablanca",
	} {
		zone, err := localtime.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		clock := rollup.NewClock(localtime.Always(zone))
		for at := time.Date(2010, 12, 31, 0, 0, 0, 1000, time.UTC); at.Year() < 2013; at = at.Add(15*time.Minute - time.Microsecond) {
			for _, ts := range []time.Time{at, at.AddDate(15, 6, 0), at.AddDate(-50, 0, 0)} {
				day, hour := clock.At(ts)
				if wantDay, wantHour := localtime.DayOf(ts, zone), localtime.HourOf(ts, zone); day != wantDay || hour != wantHour.Unix() {
					t.Fatalf("%s in %s is of %s and %s, want %s and %s", ts, name, day, time.Unix(hour, 0).UTC(), wantDay, wantHour)
				}
			}
		}
	}
}

const (
	shoe, sock = 7, 9
	ada, bob   = 3, 1<<16 + 5
	search     = stats.FirstName
)

// rows lists what deltas add, in the order in which it is written, by table.
func rows(t *testing.T, d *rollup.Deltas) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, table := range rollup.Tables {
		add := func(key rollup.Key, value any) {
			columns := []any{key.Project}
			for _, column := range table.Key {
				columns = append(columns, map[rollup.Column]any{
					rollup.Product: key.Product, rollup.User: key.User, rollup.Name: key.Name,
					rollup.Day: localtime.Day(key.At).String(), rollup.Hour: time.Unix(key.At, 0).UTC().Format("02T15:04"),
					rollup.Currency: string(key.Currency[:]), rollup.Chunk: fmt.Sprint("chunk ", key.Chunk),
				}[column])
			}
			text := strings.TrimSpace(fmt.Sprintln(columns...))
			all[table.Name] = append(all[table.Name], fmt.Sprint(text, ": ", value))
		}
		if table.Blobs() {
			for key, blob := range table.BlobsOf(d) {
				add(key, users(t, table, blob))
			}
			continue
		}
		for key, sums := range table.SumsOf(d) {
			add(key, sums)
		}
	}
	return all
}

// users returns how many users a blob has.
func users(t *testing.T, table *rollup.Table, blob rollup.Blob) int64 {
	t.Helper()
	data, err := blob.Merge(nil)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := blob.Merge(data); err != nil || again != nil {
		t.Errorf("%s: merged with itself, it changes: %v", table.Name, err)
	}
	if table.Values[0] == "users" {
		set := roaring.New()
		if err := set.UnmarshalBinary(data); err != nil {
			t.Fatal(err)
		}
		return int64(set.GetCardinality())
	}
	s := sketch.New()
	if err := s.UnmarshalBinary(data); err != nil {
		t.Fatal(err)
	}
	return s.Estimate()
}

func TestDeltas(t *testing.T) {
	t.Parallel()
	d := rollup.New()
	if !d.Empty() {
		t.Error("new deltas are not empty")
	}
	kolkata, err := localtime.Load("Asia/Kolkata")
	if err != nil {
		t.Fatal(err)
	}
	utc, local := rollup.NewClock(localtime.Always(time.UTC)), rollup.NewClock(localtime.Always(kolkata))
	evening := time.Date(2026, 3, 1, 18, 45, 0, 0, time.UTC) // 0:15 of the next day in Kolkata
	d.AddEvent(2, local, facts.Event{TS: evening, User: ada, Product: sock, Name: stats.View})
	for _, e := range []facts.Event{
		{TS: evening, User: ada, Product: shoe, Name: stats.View},
		{TS: evening, User: bob, Product: shoe, Name: search},
		{TS: evening, User: ada, Product: shoe, Name: search},
		{TS: evening.Add(time.Hour), User: ada, Product: sock, Name: stats.AddToCart},
		{TS: evening, User: bob, Name: search},
		{TS: evening.Add(24 * time.Hour), User: bob, Name: 70},
	} {
		d.AddEvent(1, utc, e)
	}
	eur, jpy := [3]byte([]byte("EUR")), [3]byte([]byte("JPY"))
	for _, l := range []facts.Line{ // one order of three lines, two of them of the same product
		{TS: evening, User: ada, Product: shoe, Currency: jpy, Units: 2, AmountMinor: 500, First: true, FirstOf: true},
		{TS: evening, User: ada, Product: shoe, Currency: jpy, Units: 1, AmountMinor: 250},
		{TS: evening, User: ada, Product: sock, Currency: jpy, Units: 1, AmountMinor: 10, FirstOf: true},
	} {
		d.AddOrderLine(1, utc, l)
	}
	d.AddRefundLine(1, utc, facts.Line{TS: evening.Add(48 * time.Hour), User: ada, Product: shoe, Currency: eur, Units: 1, AmountMinor: 99, First: true, FirstOf: true})
	want := map[string][]string{
		"daily_stats": {"1 2026-03-01: [5 1 0 1 1 4]", "1 2026-03-02: [1 0 0 0 0 0]", "2 2026-03-02: [1 1 0 0 0 0]"},
		"hourly_stats": {
			"1 01T18:00: [4 1 0 0 1 4]", "1 01T19:00: [1 0 0 1 0 0]", "1 02T18:00: [1 0 0 0 0 0]", "2 01T18:30: [1 1 0 0 0 0]",
		},
		"product_daily_stats": {"1 7 2026-03-01: [3 1 0 0 1 3]", "1 9 2026-03-01: [1 0 0 1 1 1]", "2 9 2026-03-02: [1 1 0 0 0 0]"},
		"product_hourly_stats": {
			"1 7 01T18:00: [3 1 0 0 1 3]", "1 9 01T18:00: [0 0 0 0 1 1]", "1 9 01T19:00: [1 0 0 1 0 0]", "2 9 01T18:30: [1 1 0 0 0 0]",
		},
		"user_daily_stats": {
			"1 3 2026-03-01: [3 1 0 1 1 4]", "1 65541 2026-03-01: [2 0 0 0 0 0]", "1 65541 2026-03-02: [1 0 0 0 0 0]", "2 3 2026-03-02: [1 1 0 0 0 0]",
		},
		"name_daily_stats": {"1 1 2026-03-01: [1]", "1 3 2026-03-01: [1]", "1 16 2026-03-01: [3]", "1 70 2026-03-02: [1]", "2 1 2026-03-02: [1]"},
		"name_hourly_stats": {
			"1 1 01T18:00: [1]", "1 16 01T18:00: [3]", "1 3 01T19:00: [1]", "1 70 02T18:00: [1]", "2 1 01T18:30: [1]",
		},
		"product_name_daily_stats": {"1 7 16 2026-03-01: [2]"},
		"daily_revenue":            {"1 2026-03-01 JPY: [760 0 1 4 0]", "1 2026-03-03 EUR: [0 99 0 0 1]"},
		"hourly_revenue":           {"1 01T18:00 JPY: [760 0 1 4 0]", "1 03T18:00 EUR: [0 99 0 0 1]"},
		"product_daily_revenue":    {"1 7 2026-03-01 JPY: [750 0 1 3 0]", "1 9 2026-03-01 JPY: [10 0 1 1 0]", "1 7 2026-03-03 EUR: [0 99 0 0 1]"},
		"product_hourly_revenue":   {"1 7 01T18:00 JPY: [750 0 1 3 0]", "1 9 01T18:00 JPY: [10 0 1 1 0]", "1 7 03T18:00 EUR: [0 99 0 0 1]"},
		"user_daily_revenue":       {"1 3 2026-03-01 JPY: [760 0 1 4 0]", "1 3 2026-03-03 EUR: [0 99 0 0 1]"},
		"product_daily_users":      {"1 7 2026-03-01: 2", "1 9 2026-03-01: 1", "2 9 2026-03-02: 1"},
		"name_daily_users":         {"1 1 2026-03-01: 1", "1 3 2026-03-01: 1", "1 16 2026-03-01: 2", "1 70 2026-03-02: 1", "2 1 2026-03-02: 1"},
		"daily_users":              {"1 2026-03-01: 2", "1 2026-03-02: 1", "2 2026-03-02: 1"},
		"daily_user_sets":          {"1 2026-03-01 chunk 0: 1", "1 2026-03-01 chunk 1: 1", "1 2026-03-02 chunk 1: 1", "2 2026-03-02 chunk 0: 1"},
	}
	if diff := cmp.Diff(want, rows(t, d)); diff != "" || d.Err() != nil || d.Empty() {
		t.Errorf("%v (-want +got):\n%s", d.Err(), diff)
	}
}

// A user is in the sketch of each product and name, however the events of several users and products alternate.
func TestEveryUserIsInEverySketch(t *testing.T) {
	t.Parallel()
	d, clock := rollup.New(), rollup.NewClock(localtime.Always(time.UTC))
	for i := range 1000 {
		user := int64(1 + i%5)
		d.AddEvent(1, clock, facts.Event{User: user, Product: int32(1 + i/3%4), Name: stats.Name(60 + i%7)})
	}
	for _, table := range rollup.Tables {
		if !table.Blobs() {
			continue
		}
		for key, blob := range table.BlobsOf(d) {
			if n := users(t, table, blob); n != 5 {
				t.Errorf("%s %+v has %d users, want 5", table.Name, key, n)
			}
		}
	}
}

func TestSumsThatAreTooLarge(t *testing.T) {
	t.Parallel()
	d, clock := rollup.New(), rollup.NewClock(localtime.Always(time.UTC))
	for range 2 {
		if d.Err() != nil {
			t.Fatal(d.Err())
		}
		d.AddOrderLine(1, clock, facts.Line{User: 1, Product: 1, Units: 1, AmountMinor: math.MaxInt64, First: true, FirstOf: true})
	}
	if d.Err() == nil {
		t.Error("a sum of 2^64-2 is no error")
	}
}
