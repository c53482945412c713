package postgres

import (
	"context"
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

// startFrozenFlush lets a process store events and freeze when Postgres has received part of the bytes that this takes.
func startFrozenFlush(t *testing.T, database *dbtest.Database, events []event.Event, part int64) {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(database.URL())
	if err != nil {
		t.Fatal(err)
	}
	var allowed atomic.Int64
	allowed.Store(-1)
	frozen, thaw := make(chan struct{}, 1), make(chan struct{})
	cfg.MaxConns = 1
	cfg.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		return &freezer{Conn: conn, allowed: &allowed, frozen: frozen, thaw: thaw}, err
	}
	cfg.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, `SET application_name = 'frozen'; SET statement_timeout = 1000; SET idle_in_transaction_session_timeout = 1000`)
		return err
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	store := New(pool, prometheus.NewRegistry())
	if _, err := store.StoreEvents(t.Context(), someEvents(250)); err != nil { // prepares its statement
		t.Fatal(err)
	}
	allowed.Store(part)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = store.StoreEvents(context.WithoutCancel(t.Context()), events)
	}()
	t.Cleanup(func() {
		close(thaw)
		<-ended
		pool.Close()
	})
	<-frozen
	platformtest.Eventually(t, time.Minute, "Postgres has read what was sent", func() bool {
		return count(t, database, `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'frozen' AND wait_event = 'ClientRead'`) == 1
	})
}

// TestAFrozenFlushHoldsNoRows freezes a process while it sends a flush. Its clients send the events again to another one. No
// timeout of Postgres ends a COPY that its client does not go on with, so the rows of a half-sent flush must not exist yet.
func TestAFrozenFlushHoldsNoRows(t *testing.T) {
	t.Parallel()
	store, database := newStore(t)
	for part, events := range map[int64][]event.Event{100: someEvents(1), 10_000: someEvents(250), 200_000: someEvents(4 * event.MaxBatch)} {
		t.Run("", func(t *testing.T) {
			startFrozenFlush(t, database, events, part)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if stored, err := store.StoreEvents(ctx, events); err != nil || slices.Contains(stored.Statuses, event.Duplicate) {
				t.Errorf("%d events whose first %d bytes another process has sent: %v", len(events), part, err)
			}
		})
	}
}
