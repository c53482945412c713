package postgres

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/order"
)

// freezer makes a connection fall silent in the middle of what it sends, as that of a process that is stopped: it stays open,
// and its kernel acknowledges what the server sends.
type freezer struct {
	net.Conn
	allowed *atomic.Int64 // bytes that are still sent; negative if there is no limit
	frozen  chan<- struct{}
	thaw    <-chan struct{}
}

func (f *freezer) Write(data []byte) (int, error) {
	allowed := f.allowed.Load()
	if allowed < 0 || int64(len(data)) <= allowed {
		if allowed >= 0 {
			f.allowed.Add(-int64(len(data)))
		}
		return f.Conn.Write(data)
	}
	f.allowed.Store(0)
	if n, err := f.Conn.Write(data[:allowed]); err != nil {
		return n, err
	}
	select {
	case f.frozen <- struct{}{}:
	default: // it is known
	}
	<-f.thaw
	_ = f.Close() // the process is killed
	return int(allowed), net.ErrClosed
}

// startFrozenFlush lets a process run a flush that it has run before, and freeze when Postgres has received part of the bytes that
// this takes.
func startFrozenFlush(t *testing.T, database *dbtest.Database, before, flush func(context.Context, *Store) error, part int64) {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(database.URL())
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprint("frozen ", part) // each flush of a test ends at another byte
	var allowed atomic.Int64
	allowed.Store(-1)
	frozen, thaw := make(chan struct{}, 1), make(chan struct{})
	cfg.MaxConns = 1
	cfg.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		return &freezer{Conn: conn, allowed: &allowed, frozen: frozen, thaw: thaw}, err
	}
	cfg.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, `SET application_name = '`+name+`'; SET statement_timeout = 1000; SET idle_in_transaction_session_timeout = 1000`)
		return err
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	store := New(pool, prometheus.NewRegistry())
	if err := before(t.Context(), store); err != nil { // prepares its statement
		t.Fatal(err)
	}
	allowed.Store(part)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = flush(context.WithoutCancel(t.Context()), store)
	}()
	t.Cleanup(func() {
		close(thaw)
		<-ended
		pool.Close()
	})
	<-frozen
	platformtest.Eventually(t, time.Minute, "Postgres has read what was sent", func() bool {
		return count(t, database, `SELECT count(*) FROM pg_stat_activity
			WHERE application_name = $1 AND wait_event = 'ClientRead' AND datname = current_database()`, name) == 1
	})
}

// TestAFrozenFlushHoldsNoRows freezes a process while it sends a flush. Its clients send the events again to another one. No
// timeout of Postgres ends a COPY that its client does not go on with, so the rows of a half-sent flush must not exist yet.
func TestAFrozenFlushHoldsNoRows(t *testing.T) {
	t.Parallel()
	store, database := newStore(t)
	for part, events := range map[int64][]event.Event{100: someEvents(1), 10_000: someEvents(250), 200_000: someEvents(4 * event.MaxBatch)} {
		t.Run("", func(t *testing.T) {
			startFrozenFlush(t, database, flushEvents(someEvents(250)), flushEvents(events), part)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if stored, err := store.StoreEvents(ctx, events); err != nil || slices.Contains(stored.Statuses, event.Duplicate) {
				t.Errorf("%d events whose first %d bytes another process has sent: %v", len(events), part, err)
			}
		})
	}
}

func flushEvents(events []event.Event) func(context.Context, *Store) error {
	return func(ctx context.Context, s *Store) error {
		_, err := s.StoreEvents(ctx, events)
		return err
	}
}

// TestAFrozenFlushHoldsNoOrders does the same with orders, and with refunds, which lock the lines of their orders.
func TestAFrozenFlushHoldsNoOrders(t *testing.T) {
	t.Parallel()
	store, database := newStore(t)
	orders := make([]order.Order, 250)
	for i := range orders {
		orders[i] = anOrder("")
	}
	flushOrders := func(orders ...order.Order) func(context.Context, *Store) error {
		return func(ctx context.Context, s *Store) error {
			_, err := s.StoreOrders(ctx, orders)
			return err
		}
	}
	startFrozenFlush(t, database, flushOrders(anOrder("")), flushOrders(orders...), 10_000)
	for i, outcome := range storeOrders(t, store, orders...) {
		if outcome.Err != nil || outcome.Replayed {
			t.Fatalf("order %d: %+v", i, outcome)
		}
	}
	refunds := make([]order.Refund, len(orders))
	for i := range orders {
		refunds[i] = aRefund(orders[i])
	}
	flushRefunds := func(refunds ...order.Refund) func(context.Context, *Store) error {
		return func(ctx context.Context, s *Store) error {
			_, err := s.StoreRefunds(ctx, refunds)
			return err
		}
	}
	startFrozenFlush(t, database, flushRefunds(anAmount(orders[0], 1)), flushRefunds(refunds...), 30_000)
	outcomes, err := store.StoreRefunds(t.Context(), refunds)
	if err != nil {
		t.Fatal(err)
	}
	for i, outcome := range outcomes {
		if outcome.Err != nil || outcome.Replayed {
			t.Errorf("refund %d: %+v", i, outcome)
		}
	}
}
