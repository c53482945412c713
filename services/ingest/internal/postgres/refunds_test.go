package postgres

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/protocol/facts"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/order"
)

// aRefund returns a new refund of all that is left of an order.
func aRefund(o order.Order) order.Refund {
	return order.Refund{
		Key: order.Key{Project: o.Project, ID: uuid.New()}, Order: o.ID, ContentHash: order.Hash{1},
		TS: time.Now().UTC().Truncate(time.Microsecond),
	}
}

func anAmount(o order.Order, amount int64) order.Refund {
	r := aRefund(o)
	r.AmountMinor = &amount
	return r
}

func TestEachRefundHasItsOwnOutcome(t *testing.T) {
	t.Parallel()
	s, database := newStore(t)
	one, two := anOrder(""), anOrder("")
	storeOrders(t, s, one, two)
	known := anAmount(one, 100)
	if _, err := s.StoreRefunds(t.Context(), []order.Refund{known}); err != nil {
		t.Fatal(err)
	}
	other, elsewhere := known, anAmount(order.Order{Key: order.Key{Project: 1, ID: uuid.New()}}, 1)
	other.ContentHash = order.Hash{9}
	foreign := anAmount(one, 1)
	foreign.Project = 2
	twice := anAmount(two, 33)
	refunds := []order.Refund{
		known, other, elsewhere, foreign, anAmount(one, 734), anAmount(one, 733), anAmount(one, 1), twice, twice, aRefund(two), aRefund(two),
	}
	got, err := s.StoreRefunds(t.Context(), refunds)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		total    int64
		replayed bool
		code     string
	}{
		{100, true, ""}, {code: "conflict"}, {code: "not_found"}, {code: "not_found"}, {code: "refund_too_large"}, {total: 733},
		{code: "refund_too_large"}, {total: 33}, {33, true, ""}, {total: 800}, {code: "refund_too_large"},
	} {
		var code string
		if public, ok := errors.AsType[*errs.Error](got[i].Err); ok {
			code = public.Code
		}
		if code != want.code || got[i].Replayed != want.replayed || got[i].Refund.TotalMinor() != want.total {
			t.Errorf("refund %d: %+v, want %+v", i, got[i], want)
		}
	}
	if n := count(t, database, `SELECT count(*) FROM ingest.order_lines WHERE refunded_minor = amount_minor`); n != 4 {
		t.Errorf("%d lines are paid back as a whole, want all 4", n)
	}
	compareLines(t, []facts.Line{
		{TS: refunds[5].TS, User: 1, Product: 1, Currency: [3]byte{'E', 'U', 'R'}, AmountMinor: 440, First: true, FirstOf: true},
		{TS: refunds[5].TS, User: 1, Product: 2, Currency: [3]byte{'E', 'U', 'R'}, AmountMinor: 293, FirstOf: true},
		{TS: refunds[7].TS, User: 1, Product: 1, Currency: [3]byte{'E', 'U', 'R'}, AmountMinor: 20, First: true, FirstOf: true},
		{TS: refunds[7].TS, User: 1, Product: 2, Currency: [3]byte{'E', 'U', 'R'}, AmountMinor: 13, FirstOf: true},
		{TS: refunds[9].TS, User: 1, Product: 1, Currency: [3]byte{'E', 'U', 'R'}, Units: 2, AmountMinor: 480, First: true, FirstOf: true},
		{TS: refunds[9].TS, User: 1, Product: 2, Currency: [3]byte{'E', 'U', 'R'}, Units: 1, AmountMinor: 320, FirstOf: true},
	}, linesOf(t, database, got[5].Refund.Batch))
	_, stored, err := s.Order(t.Context(), two.Key)
	if err != nil || len(stored) != 2 || stored[0].TotalMinor()+stored[1].TotalMinor() != 833 {
		t.Errorf("the refunds of the order: %+v, %v", stored, err)
	}
}

// TestRefundsOfManyProcesses lets processes refund the same orders at the same time, with random amounts and units, until nothing is
// left. Independent sums of what they were told agree with the rows and with the facts.
func TestRefundsOfManyProcesses(t *testing.T) {
	t.Parallel()
	s, database := newStore(t)
	const processes, each = 4, 25
	orders := []order.Order{anOrder(""), anOrder(""), anOrder("")}
	storeOrders(t, s, orders...)
	var mu sync.Mutex
	told := map[string]int64{} // by order, product and what
	var wg sync.WaitGroup
	for process := range processes {
		store := New(database.Pool("hp_ingest"), prometheus.NewRegistry())
		wg.Go(func() {
			random := rand.New(rand.NewPCG(7, uint64(process)))
			for range each {
				var refunds []order.Refund
				for range 1 + random.IntN(3) {
					refunds = append(refunds, randomRefund(random, orders[random.IntN(len(orders))]))
				}
				outcomes, err := store.StoreRefunds(t.Context(), refunds)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				for _, o := range outcomes {
					if o.Err != nil && errs.CodeOf(o.Err) != order.CodeRefundTooLarge {
						t.Errorf("a refund: %v", o.Err)
					}
					for _, l := range o.Refund.Lines {
						told[fmt.Sprint(o.Refund.Order, l.Product, " units")] += l.Units
						told[fmt.Sprint(o.Refund.Order, l.Product, " amount")] += l.AmountMinor
					}
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	fromRows, fromFacts := map[string]int64{}, map[int32]int64{}
	for _, o := range orders {
		stored, refunds, err := s.Order(t.Context(), o.Key)
		if err != nil {
			t.Fatal(err)
		}
		byLine := make([]order.Line, len(stored.Lines))
		for _, r := range refunds {
			for _, l := range r.Lines {
				byLine[l.Line-1].RefundedUnits += l.Units
				byLine[l.Line-1].RefundedMinor += l.AmountMinor
				fromFacts[l.Product] -= l.AmountMinor
			}
		}
		for i, l := range stored.Lines {
			if l.RefundedUnits != byLine[i].RefundedUnits || l.RefundedMinor != byLine[i].RefundedMinor || l.LeftMinor() < 0 || l.LeftUnits() < 0 {
				t.Errorf("line %d: %+v, its refunds %+v", i+1, l, byLine[i])
			}
			fromRows[fmt.Sprint(o.ID, l.Product, " units")] += l.RefundedUnits
			fromRows[fmt.Sprint(o.ID, l.Product, " amount")] += l.RefundedMinor
		}
	}
	if diff := cmp.Diff(told, fromRows); diff != "" {
		t.Errorf("refunded (-answers +rows):\n%s", diff)
	}
	rows, err := database.Pool("").Query(t.Context(), `SELECT id FROM ingest.batches WHERE kind = 'refunds'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var batch int64
		if err := rows.Scan(&batch); err != nil {
			t.Fatal(err)
		}
		for _, l := range linesOf(t, database, batch) {
			fromFacts[l.Product] += l.AmountMinor
		}
	}
	for product, n := range fromFacts {
		if n != 0 {
			t.Errorf("product %d: the facts have %d more than the refunds", product, n)
		}
	}
	if told[fmt.Sprint(orders[0].ID, 1, " amount")] == 0 {
		t.Error("nothing was refunded")
	}
}

func randomRefund(random *rand.Rand, o order.Order) order.Refund {
	r := aRefund(o)
	switch random.IntN(8) {
	case 0:
	case 1:
		units := int64(1)
		r.Request = []order.RefundItem{{Line: int64(1 + random.IntN(len(o.Lines))), Quantity: &units}}
	default:
		amount := 1 + random.Int64N(20)
		r.AmountMinor = &amount
	}
	return r
}
