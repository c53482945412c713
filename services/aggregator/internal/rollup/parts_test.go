package rollup

import (
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/internal/protocol/facts"
	"github.com/hp-analytics/hp-analytics/internal/stats"
)

// event returns an event of the nth product and the mth user, at the same time as all others.
func event(product, user int, name stats.Name) facts.Event {
	return facts.Event{TS: time.Unix(0, 0), Product: int32(product + 1), User: int64(user + 1), Name: name}
}

// TestPartsStayWithinTheirBudget folds rows of many users and products. No part takes more than the budget, and together the
// parts count every row.
func TestPartsStayWithinTheirBudget(t *testing.T) {
	t.Parallel()
	const budget, total = 256 << 10, 30_000
	random := rand.New(rand.NewPCG(1, 2))
	var rows, parts int64
	largest, clock := 0, NewClock(localtime.Always(time.UTC))
	p := NewParts(budget, func(d *Deltas, _ bool) error {
		if d.Bytes() > budget {
			t.Errorf("a part takes %d bytes, more than %d", d.Bytes(), budget)
		}
		largest = max(largest, d.Bytes())
		parts++
		days(d, func(_ Key, counts []int64) bool {
			rows += counts[stats.Events]
			return true
		})
		return nil
	})
	for added := 0; added < total; {
		room, err := p.Next()
		if err != nil {
			t.Fatal(err)
		}
		for range min(room, total-added) {
			e := event(random.IntN(2000), random.IntN(10_000), stats.Name(1+random.IntN(50)))
			e.TS = e.TS.Add(time.Duration(random.IntN(72)) * time.Hour)
			p.Deltas.AddEvent(1, clock, e)
			added++
		}
	}
	if err := p.Flush(); err != nil {
		t.Fatal(err)
	}
	if rows != total || parts < 10 || int64(p.Count) != parts || p.Most != largest || largest < budget/2 {
		t.Errorf("%d rows in %d parts (%d), the largest of %d bytes (%d)", rows, parts, p.Count, largest, p.Most)
	}
}

// TestKnownRowsNeedFewCalls fills most of a budget, and then adds rows of the same users and products, which take no memory.
func TestKnownRowsNeedFewCalls(t *testing.T) {
	t.Parallel()
	const budget = 1 << 20
	clock := NewClock(localtime.Always(time.UTC))
	p := NewParts(budget, func(*Deltas, bool) error { return nil })
	add := func(n int) {
		p.Deltas.AddEvent(1, clock, event(n, n, stats.View))
	}
	users := 0
	for ; p.Deltas.Bytes() < budget-5*MaxRowBytes; users++ {
		add(users)
	}
	calls := 0
	for added := 0; added < 10_000; calls++ {
		room, err := p.Next()
		if err != nil {
			t.Fatal(err)
		}
		for range room {
			add(added % users)
			added++
		}
	}
	if calls > 100 {
		t.Errorf("%d calls for 10,000 rows", calls)
	}
}

// TestASmallBudgetStillMakesProgress has a budget that no row fits.
func TestASmallBudgetStillMakesProgress(t *testing.T) {
	t.Parallel()
	p := NewParts(1, func(*Deltas, bool) error { return nil })
	for range 3 {
		if room, err := p.Next(); err != nil || room != 1 {
			t.Fatalf("room for %d rows, %v; want 1", room, err)
		}
		p.Deltas.AddEvent(1, NewClock(localtime.Always(time.UTC)), event(0, 0, stats.View))
	}
	if p.Count != 2 {
		t.Errorf("%d parts, want one for each row before the last", p.Count)
	}
}

// TestBytesCoversTheHeap compares the estimate with the heap. It runs alone, because the heap belongs to all.
//
//nolint:paralleltest // others would change the heap
func TestBytesCoversTheHeap(t *testing.T) {
	heap := func() int {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	for _, shape := range []struct{ products, usersOfEach, users, hours, lines int }{
		{20_000, 1, 1, 1, 0}, {5000, 8, 8, 24, 0}, {2000, 64, 64, 24, 0}, {1000, 256, 256, 24, 0}, {300, 3000, 3000, 24, 0}, {1, 50_000, 50_000, 1, 0},
		{5000, 1, 5000, 5000, 0}, {20_000, 1, 20_000, 24, 0}, {5000, 0, 30_000, 24, 30_000},
	} {
		before := heap()
		d, clock := New(), NewClock(localtime.Always(time.UTC))
		for n := range shape.products {
			for user := range shape.usersOfEach {
				e := event(n, (n*shape.usersOfEach+user)%shape.users, stats.View)
				e.TS = e.TS.Add(time.Duration(n%shape.hours) * time.Hour)
				d.AddEvent(1, clock, e)
			}
		}
		for n := range shape.lines {
			d.AddOrderLine(1, clock, facts.Line{
				TS: time.Unix(int64(n%shape.hours)*3600, 0), User: int64(1 + n%shape.users), Product: int32(1 + n%shape.products),
				Currency: [3]byte([]byte([]string{"EUR", "JPY", "KWD"}[n%3])), Units: 1, AmountMinor: 1, First: true, FirstOf: true,
			})
		}
		used := heap() - before
		if bytes := d.Bytes(); used > bytes+64<<10 {
			t.Errorf("%+v: the deltas take %d bytes, more than the estimate of %d", shape, used, bytes)
		}
		runtime.KeepAlive(d)
	}
}
