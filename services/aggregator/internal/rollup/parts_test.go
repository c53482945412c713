package rollup

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/stats"
)

// product returns the id of the nth product.
func product(n int) (id uuid.UUID) {
	binary.BigEndian.PutUint64(id[:8], uint64(n))
	return id
}

// TestPartsStayWithinTheirBudget folds rows of many users and products. No part takes more than the budget, and together the
// parts count every row.
func TestPartsStayWithinTheirBudget(t *testing.T) {
	t.Parallel()
	const budget, total = 256 << 10, 30_000
	random := rand.New(rand.NewPCG(1, 2))
	var rows, parts int64
	largest := 0
	p := NewParts(budget, func(d *Deltas) error {
		if d.Bytes() > budget {
			t.Errorf("a part takes %d bytes, more than %d", d.Bytes(), budget)
		}
		largest = max(largest, d.Bytes())
		parts++
		for _, counts := range d.Days() {
			rows += counts[stats.Events]
		}
		return nil
	})
	for added := 0; added < total; {
		room, err := p.Next()
		if err != nil {
			t.Fatal(err)
		}
		for range min(room, total-added) {
			p.Deltas.AddEvent(Event{
				ProductID: product(random.IntN(2000)), Day: Day(random.IntN(3)),
				UserID: fmt.Sprintf("user-%0120d", random.IntN(10_000)), Type: fmt.Sprintf("type-%055d", random.IntN(50)),
			})
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
	p := NewParts(budget, func(*Deltas) error { return nil })
	add := func(n int) {
		p.Deltas.AddEvent(Event{ProductID: product(n), UserID: fmt.Sprintf("user-%d", n), Type: stats.TypeView})
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
	p := NewParts(1, func(*Deltas) error { return nil })
	for range 3 {
		if room, err := p.Next(); err != nil || room != 1 {
			t.Fatalf("room for %d rows, %v; want 1", room, err)
		}
		p.Deltas.AddEvent(Event{UserID: "u", Type: stats.TypeView})
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
	for _, shape := range []struct{ products, usersOfEach, users int }{
		{20_000, 1, 1}, {5000, 8, 8}, {2000, 64, 64}, {1000, 256, 256}, {300, 3000, 3000}, {1, 50_000, 50_000},
	} {
		users := make([]string, shape.users)
		for i := range users {
			users[i] = fmt.Sprintf("user-%d", i)
		}
		before := heap()
		d := New()
		for n := range shape.products {
			for _, user := range users[:shape.usersOfEach] {
				d.AddEvent(Event{ProductID: product(n), Day: 1, UserID: user, Type: stats.TypeView})
			}
		}
		used := heap() - before
		if bytes := d.Bytes(); used > bytes+64<<10 {
			t.Errorf("%+v: the deltas take %d bytes, more than the estimate of %d", shape, used, bytes)
		}
		runtime.KeepAlive(users)
	}
}
