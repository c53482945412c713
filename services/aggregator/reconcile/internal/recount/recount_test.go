package recount_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/stats/sketch"
	"github.com/hp-analytics/hp-analytics/services/aggregator/reconcile/internal/recount"
)

// micros returns the time of a clock on 2 January 2000.
func micros(hour, minute int) recount.Micros {
	return recount.Micros(time.Duration(24+hour)*time.Hour+time.Duration(minute)*time.Minute) / recount.Micros(time.Microsecond)
}

// quarters is a grid of an hour that begins at a time, with the day.
func quarters(from recount.Micros, n int, hour recount.Micros, day recount.Date) (grid []recount.Moment) {
	for i := range n {
		grid = append(grid, recount.Moment{From: from + recount.Micros(i)*micros(0, 15) - recount.Micros(i)*micros(0, 0), Hour: hour, Day: day})
	}
	return grid
}

func TestClock(t *testing.T) {
	t.Parallel()
	grid := slices.Concat(
		quarters(micros(0, 0), 4, micros(0, 0), 1),
		quarters(micros(1, 0), 2, micros(1, 0), 1),    // at half past one the clocks go back by an hour, to half past midnight
		quarters(micros(1, 30), 2, micros(1, 0)-1, 1), // the hour that began earlier is another one
		quarters(micros(2, 0), 1, micros(1, 50), 2),   // an hour that begins at ten to, on the next day
	)
	clock := recount.NewClock(grid)
	for _, test := range []struct {
		at, hour recount.Micros
		day      recount.Date
	}{
		{micros(0, 0), micros(0, 0), 1},
		{micros(2, 10), micros(1, 50), 2},
		{micros(0, 59), micros(0, 0), 1},
		{micros(1, 0), micros(1, 0), 1},
		{micros(1, 30) - 1, micros(1, 0), 1},
		{micros(1, 30), micros(1, 0) - 1, 1},
		{micros(1, 50) - 1, micros(1, 0) - 1, 1},
		{micros(1, 50), micros(1, 50), 2},
	} {
		if hour, day := clock.At(test.at); hour != test.hour || day != test.day {
			t.Errorf("%s is in the hour of %s on %d, want %s on %d", test.at.Time(), hour.Time(), day, test.hour.Time(), test.day)
		}
	}
	if day, ok := clock.DayOf(micros(1, 50)); !ok || day != 2 {
		t.Errorf("the last hour is of the day %d, %t", day, ok)
	}
}

// day is a clock that shows one hour.
func day() *recount.Clock { return recount.NewClock(quarters(micros(0, 0), 1, micros(0, 0), 1)) }

// groups returns what was recounted of a product that users have seen, each several times, ready for stored sketches.
func groups(users, times int) *recount.Groups {
	r := recount.New(recount.Part{}, day())
	for range times {
		for user := range users {
			r.AddEvent(&recount.Event{TS: micros(0, 1), User: int64(1 + user), Product: int32(1 + user%2), Name: 1, Folded: true})
		}
	}
	return r.Groups(recount.AllSketches[0])
}

// stored returns the sketch of every second user of a range.
func stored(t *testing.T, from, to int) []byte {
	t.Helper()
	s := sketch.New()
	for user := from; user < to; user += 2 {
		s.Insert(int64(1 + user))
	}
	data, err := s.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestSketchesOfLanes checks that lanes are united, whichever comes first, and however many rows a user has.
func TestSketchesOfLanes(t *testing.T) {
	t.Parallel()
	even, odd, other := recount.Key{At: 1, Subject: 1}, recount.Key{At: 1, Subject: 2}, recount.Key{At: 1, Subject: 3}
	for name, test := range map[string]struct {
		users, times int
		lanes        map[recount.Key][][]byte
		want         []recount.Key
	}{
		"one lane":                   {100, 1, map[recount.Key][][]byte{even: {stored(t, 0, 100)}, odd: {stored(t, 1, 100)}}, nil},
		"many rows":                  {40_000, 14, map[recount.Key][][]byte{even: {stored(t, 0, 40_000)}, odd: {stored(t, 1, 40_000)}}, nil},
		"one user too few":           {100, 1, map[recount.Key][][]byte{even: {stored(t, 0, 98)}, odd: {stored(t, 1, 100)}}, []recount.Key{even}},
		"two lanes":                  {100, 1, map[recount.Key][][]byte{even: {stored(t, 0, 60), stored(t, 50, 100)}, odd: {stored(t, 1, 100)}}, nil},
		"a lane of all, and another": {100, 1, map[recount.Key][][]byte{even: {stored(t, 0, 100), stored(t, 2, 8)}, odd: {stored(t, 1, 9), stored(t, 1, 100)}}, nil},
		"another with one too many":  {100, 1, map[recount.Key][][]byte{even: {stored(t, 0, 100), stored(t, 2, 102)}, odd: {stored(t, 1, 100)}}, []recount.Key{even}},
		"a sketch is missing":        {100, 1, map[recount.Key][][]byte{even: {stored(t, 0, 100)}}, []recount.Key{odd}},
		"a sketch of nothing":        {0, 1, map[recount.Key][][]byte{other: {stored(t, 0, 2)}}, []recount.Key{other}},
		"an empty sketch":            {0, 1, map[recount.Key][][]byte{other: {stored(t, 0, 0)}}, nil},
		"no sketch":                  {0, 1, map[recount.Key][][]byte{other: {[]byte("x"), stored(t, 0, 2)}}, []recount.Key{other}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := groups(test.users, test.times)
			for key, lanes := range test.lanes {
				for _, lane := range lanes {
					g.AddStored(key, lane)
				}
			}
			var got []recount.Key
			for _, unlike := range g.Differences() {
				got = append(got, unlike.Key)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("keys that differ (-want +got):\n%s", diff)
			}
		})
	}
}

// TestMarksStayFew checks that the memory of sketches grows with the registers of their keys, and not with the rows.
func TestMarksStayFew(t *testing.T) {
	t.Parallel()
	r := recount.New(recount.Part{}, day())
	random := rand.New(rand.NewPCG(1, 1))
	for range 1_300_000 {
		r.AddEvent(&recount.Event{TS: micros(0, 1), User: random.Int64N(20_000), Name: 1, Folded: true})
	}
	// At most 4,096 marks for the name and for the day are kept, and 2^19 that are new, of 16 bytes each.
	if got, bound := r.Bytes(), 20_000*200+2*(1<<19+4096)*16+10_000; got > bound {
		t.Errorf("the recount takes %d bytes, want at most %d", got, bound)
	}
}

// TestPartsAreTheWhole checks that the parts of the rows together have all that there is, once.
func TestPartsAreTheWhole(t *testing.T) {
	t.Parallel()
	fill := func(r *recount.Recount) *recount.Recount {
		random := rand.New(rand.NewPCG(2, 2))
		for range 5000 {
			r.AddEvent(&recount.Event{
				TS: micros(0, 1), User: 1 + random.Int64N(300), Product: random.Int32N(40), Name: int16(1 + random.IntN(6)), Folded: random.IntN(9) > 0,
			})
			line := recount.Line{
				TS: micros(0, 2), User: 1 + random.Int64N(300), Product: 1 + random.Int32N(40), Currency: recount.CurrencyOf([]byte("EUR")),
				Units: 2, Amount: random.Int64N(900), First: true, FirstFor: true, Folded: true,
			}
			r.AddOrderLine(&line)
			r.AddRefundLine(&line)
		}
		return r
	}
	count := func(r *recount.Recount) map[string]map[recount.Key]recount.Values {
		const ofSets = "daily_user_sets"
		all := map[string]map[recount.Key]recount.Values{ofSets: {}}
		for _, unlike := range r.Sets().Differences() {
			all[ofSets][recount.Key{At: int64(unlike.Day)}] = recount.Values{int64(unlike.Missing)}
		}
		for _, rollup := range recount.Rollups {
			all[rollup.Table] = map[recount.Key]recount.Values{}
			for _, row := range r.Table(rollup).Differences() { // nothing is stored, so these are all rows
				all[rollup.Table][row.Key] = row.Recounted
			}
		}
		for _, rollup := range recount.AllSketches {
			all[rollup.Table] = map[recount.Key]recount.Values{}
			for _, unlike := range r.Groups(rollup).Differences() {
				all[rollup.Table][unlike.Key] = recount.Values{unlike.Recounted}
			}
		}
		return all
	}
	whole := fill(recount.New(recount.Part{}, day()))
	want, rows := count(whole), int64(0)
	for n := range int64(4) {
		part := fill(recount.New(recount.Part{Of: 3, N: n}, day()))
		rows += part.Rows
		for table, got := range count(part) {
			for key, values := range got {
				if want[table][key] != values {
					t.Errorf("part %d, %s %+v: %d, of the whole %d", n, table, key, values, want[table][key])
				}
				delete(want[table], key)
			}
		}
	}
	for table, missing := range want {
		if len(missing) > 0 {
			t.Errorf("%s: %d rows are of no part", table, len(missing))
		}
	}
	if rows != whole.Rows {
		t.Errorf("the parts have %d rows, the whole %d", rows, whole.Rows)
	}
}
