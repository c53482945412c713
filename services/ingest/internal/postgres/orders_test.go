package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/protocol/facts"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/order"
)

// anOrder returns a new order of two lines, under an Idempotency-Key unless that is "".
func anOrder(key string) order.Order {
	o := order.Order{
		Key: order.Key{Project: 1, ID: uuid.New()}, User: 1, UserID: "user 1", Currency: "EUR", ContentHash: order.Hash{1},
		TS: time.Now().UTC().Truncate(time.Microsecond),
		Lines: []order.Line{
			{Product: 1, ProductID: someProducts[0], SKU: "P-0", Quantity: 2, AmountMinor: 500},
			{Product: 2, ProductID: someProducts[1], SKU: "P-1", Quantity: 1, AmountMinor: 333},
		},
	}
	if key != "" {
		o.Idempotency = &order.IdempotencyKey{Project: 1, Key: key, BodyHash: order.Hash{2}}
	}
	return o
}

func storeOrders(t *testing.T, s *Store, orders ...order.Order) []order.Outcome {
	t.Helper()
	outcomes, err := s.StoreOrders(t.Context(), orders)
	if err != nil || len(outcomes) != len(orders) {
		t.Fatalf("%d outcomes of %d orders, %v", len(outcomes), len(orders), err)
	}
	return outcomes
}

// linesOf returns what the facts of a batch count.
func linesOf(t *testing.T, database *dbtest.Database, batch int64) (lines []facts.Line) {
	t.Helper()
	var data []byte
	if err := database.Pool("").QueryRow(t.Context(), `SELECT facts FROM ingest.batches WHERE id = $1`, batch).Scan(&data); err != nil {
		t.Fatal(err)
	}
	reader, err := facts.NewReader(data)
	if err != nil {
		t.Fatal(err)
	}
	for line := (facts.Line{}); reader.Line(&line); {
		lines = append(lines, line)
	}
	if reader.Err() != nil {
		t.Fatal(reader.Err())
	}
	return lines
}

// TestOrdersAreStoredAsTheyAre stores flushes of several sizes and of two projects. Sent again, each is found as it was stored.
func TestOrdersAreStoredAsTheyAre(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 7, 2000} {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			t.Parallel()
			s, database := newStore(t)
			other := addProject(t, database)
			execute(t, database, `INSERT INTO ingest.users (project, anonymous, n, id) OVERRIDING SYSTEM VALUE VALUES ($1, true, 100001, 'visitor')`, other)
			execute(t, database, `INSERT INTO catalog.products (id, n, project, sku, name, price_minor, currency) OVERRIDING SYSTEM VALUE
				SELECT gen_random_uuid(), 500 + n, $1, sku, name, 1, 'JPY' FROM catalog.products WHERE n <= 2`, other)
			var orders []order.Order
			for i := range n {
				o := anOrder("")
				o.TS = o.TS.Add(-time.Duration(i*7%5) * time.Hour)
				o.Lines = append(o.Lines, order.Line{Product: 1, ProductID: someProducts[0], SKU: "P-0", Quantity: int64(i + 1), AmountMinor: int64(i)})
				if i%3 == 1 {
					o.Project, o.User, o.UserID, o.AnonymousID, o.Currency, o.Number = other, 100001, "", "visitor", "JPY", fmt.Sprint("web ", i)
					for l := range o.Lines {
						o.Lines[l].Product += 500
					}
				}
				if i%2 == 1 {
					o.Properties = []byte(`{"a": 1}`)
				}
				orders = append(orders, o)
			}
			first := storeOrders(t, s, orders...)
			counted := map[int64][]facts.Line{}
			for i, o := range orders {
				if got := first[i]; got.Err != nil || got.Replayed || got.Order.Batch == 0 || got.Order.Batch != first[i%3%2].Order.Batch {
					t.Fatalf("order %d: %+v", i, got)
				}
				for l, line := range o.Lines {
					counted[first[i].Order.Batch] = append(counted[first[i].Order.Batch], facts.Line{
						TS: o.TS, User: o.User, Product: line.Product, Currency: [3]byte([]byte(o.Currency)),
						Units: line.Quantity, AmountMinor: line.AmountMinor, First: l == 0, FirstOf: l < 2,
					})
				}
			}
			for batch, want := range counted {
				compareLines(t, want, linesOf(t, database, batch))
				if rows := count(t, database, `SELECT rows FROM ingest.batches WHERE id = $1`, batch); rows != len(want) {
					t.Errorf("batch %d has %d rows, want its %d lines", batch, rows, len(want))
				}
			}
			if wrong := count(t, database, `SELECT count(*) FROM ingest.users AS u JOIN (
				SELECT user_n, min(ts) AS ts FROM ingest.orders GROUP BY user_n) AS o ON o.user_n = u.n WHERE u.first_seen IS DISTINCT FROM o.ts`); wrong != 0 {
				t.Errorf("first_seen of %d users is not that of their orders", wrong)
			}
			again := storeOrders(t, s, orders...)
			for i := range again {
				want := first[i].Order
				want.ReceivedAt = again[i].Order.ReceivedAt
				for l := range want.Lines {
					want.Lines[l].ProductID, want.Lines[l].SKU = again[i].Order.Lines[l].ProductID, again[i].Order.Lines[l].SKU
				}
				if diff := cmp.Diff(order.Outcome{Order: want, Replayed: true}, again[i]); diff != "" {
					t.Fatalf("order %d again (-sent +stored):\n%s", i, diff)
				}
			}
		})
	}
}

// compareLines compares the lines of facts without their order.
func compareLines(t *testing.T, want, got []facts.Line) {
	t.Helper()
	byValue := func(a, b facts.Line) int { return slices.Compare([]byte(fmt.Sprint(a)), []byte(fmt.Sprint(b))) }
	slices.SortFunc(want, byValue)
	slices.SortFunc(got, byValue)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
}

// TestEachOrderHasItsOwnOutcome stores one flush with everything that can become of an order.
func TestEachOrderHasItsOwnOutcome(t *testing.T) {
	t.Parallel()
	s, database := newStore(t)
	knownKey, knownID := anOrder("known"), anOrder("")
	first := storeOrders(t, s, knownKey, knownID)

	// Another process works on a key.
	holder, err := database.Pool("hp_ingest").Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = holder.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := holder.Exec(t.Context(), `SELECT `+lockKey+` FROM (VALUES (1::smallint, '', 'locked')) AS s (project, principal, key)`); err != nil {
		t.Fatal(err)
	}

	keyAgain, keyReused, sameIDNewKey, sameIDOther := anOrder("known"), anOrder("known"), knownID, knownID
	keyReused.Idempotency.BodyHash = order.Hash{9}
	sameIDNewKey.Idempotency = &order.IdempotencyKey{Project: 1, Key: "second", BodyHash: order.Hash{3}}
	sameIDOther.ContentHash = order.Hash{9}
	renamed, dearer, locked, fresh := anOrder(""), anOrder(""), anOrder("locked"), anOrder("new")
	renamed.Lines[1].SKU = "OLD NAME"
	price := int64(251)
	dearer.Lines[0].ListPrice = &price
	otherPrincipal := anOrder("known")
	otherPrincipal.Idempotency.Principal = "guest"
	twice := anOrder("")
	conflicting := twice
	conflicting.ContentHash = order.Hash{9}

	orders := []order.Order{keyAgain, keyReused, sameIDNewKey, sameIDOther, renamed, dearer, locked, fresh, otherPrincipal, twice, twice, conflicting}
	got := storeOrders(t, s, orders...)
	for i, want := range []struct {
		id       uuid.UUID
		replayed bool
		err      error
	}{
		{first[0].Order.ID, true, nil}, {err: order.ErrKeyReused}, {knownID.ID, true, nil}, {err: order.ErrConflict},
		{err: order.ErrProductChanged}, {err: order.ErrProductChanged}, {err: order.ErrKeyInFlight}, {fresh.ID, false, nil},
		{otherPrincipal.ID, false, nil}, {twice.ID, false, nil}, {twice.ID, true, nil}, {err: order.ErrConflict},
	} {
		if !errors.Is(got[i].Err, want.err) || got[i].Order.ID != want.id || got[i].Replayed != want.replayed {
			t.Errorf("order %d: %+v, want %+v", i, got[i], want)
		}
	}
	if n := count(t, database, `SELECT count(*) FROM ingest.orders`); n != 5 {
		t.Errorf("%d orders, want 5", n)
	}
	if n := count(t, database, `SELECT sum(rows) FROM ingest.batches`); n != 10 {
		t.Errorf("the receipts have %d rows, want those of 5 orders", n)
	}
	if n := count(t, database, `SELECT count(*) FROM ingest.order_lines AS l WHERE NOT EXISTS (SELECT FROM ingest.orders AS o WHERE o.id = l.order_id)`); n != 0 {
		t.Errorf("%d lines without an order", n)
	}
	// The key that came with a known id answers from now on.
	fourth := anOrder("second")
	fourth.Idempotency.BodyHash = order.Hash{3}
	if again := storeOrders(t, s, fourth); again[0].Order.ID != knownID.ID || !again[0].Replayed {
		t.Errorf("the second key of an order: %+v", again[0])
	}
}

// TestARepeatedOrderLowersNoFirstSeen: only what is stored counts as seen.
func TestARepeatedOrderLowersNoFirstSeen(t *testing.T) {
	t.Parallel()
	s, database := newStore(t)
	o := anOrder("")
	storeOrders(t, s, o)
	again := o
	again.TS = o.TS.Add(-time.Hour)
	if got := storeOrders(t, s, again, anOrder("")); !got[0].Replayed || !got[0].Order.TS.Equal(o.TS) {
		t.Errorf("with an earlier ts: %+v", got[0])
	}
	if n := count(t, database, `SELECT count(*) FROM ingest.users WHERE n = 1 AND first_seen = $1`, o.TS); n != 1 {
		t.Error("first_seen is not that of the stored order")
	}
}
