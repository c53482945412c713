package postgres_test

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
)

// order is what a worker that stands before a statement is told to do.
type order string

const (
	goOn       order = "go on"
	cancel     order = "cancel"     // the statement's context has ended: it is not sent
	cut        order = "cut"        // the worker dies: the connection is gone before the statement
	lose       order = "lose"       // the statement is executed, but its answer never comes
	terminate  order = "terminate"  // Postgres ends the backend before the statement
	cancelHeld order = "cancelHeld" // Postgres cancels the statement while it runs
)

// stop is where a worker stands: before a statement, or at the end of its job.
type stop struct {
	sql  string
	pid  uint32
	done bool
	err  error // of the job
}

// worker is a process with one connection, which is stepped: it stands still before each statement until it is told what
// to do.
type worker struct {
	name   string
	folds  bool // or writes
	pool   *pgxpool.Pool
	stops  chan stop
	orders chan order
	quit   context.Context
	jobs   sync.WaitGroup
	losing atomic.Bool // the answer to the statement under way shall be lost

	at        stop   // where it stands; done when it has no job
	leaves    uint32 // the backend that it loses with the statement under way
	blocked   bool   // it stands nowhere: its statement waits for another worker
	finish    func(err error)
	lastOrder order
	faulted   bool // something was done to its job
}

// newWorker returns an idle worker that connects as role.
func newWorker(t *testing.T, database *dbtest.Database, name, role string) *worker {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(database.URL())
	if err != nil {
		t.Fatal(err)
	}
	quit, stopAll := context.WithCancel(context.WithoutCancel(t.Context()))
	w := &worker{
		name: name, stops: make(chan stop, 1), orders: make(chan order), quit: quit, at: stop{done: true},
	}
	cfg.MaxConns = 1
	cfg.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false } // depends on the clock
	cfg.ConnConfig.Tracer = w
	cfg.ConnConfig.RuntimeParams["role"] = role
	cfg.ConnConfig.RuntimeParams["timezone"] = "UTC"
	dial := (&net.Dialer{}).DialContext
	cfg.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &deafConn{Conn: conn}, nil
	}
	if w.pool, err = pgxpool.NewWithConfig(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stopAll()
		w.jobs.Wait()
		w.pool.Close()
	})
	return w
}

// start gives an idle worker a job. finish is told how it ended, by whoever steps the worker.
func (w *worker) start(job func(ctx context.Context, pool *pgxpool.Pool) error, finish func(err error)) {
	w.finish, w.faulted = finish, false
	w.jobs.Go(func() {
		err := job(w.quit, w.pool)
		select {
		case w.stops <- stop{done: true, err: err}:
		case <-w.quit.Done():
		}
	})
}

// TraceQueryStart implements pgx.QueryTracer.
func (w *worker) TraceQueryStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	ended, end := context.WithCancel(ctx)
	end()
	select {
	case w.stops <- stop{sql: data.SQL, pid: conn.PgConn().PID()}:
	case <-w.quit.Done():
		return ended
	}
	var told order
	select {
	case told = <-w.orders:
	case <-w.quit.Done():
		return ended
	}
	switch told {
	case cancel:
		return ended
	case cut:
		_ = conn.PgConn().Conn().Close()
	case lose:
		w.losing.Store(true)
		w.deafen(conn, true)
	case goOn, terminate, cancelHeld: // Postgres does the rest
	}
	return ctx
}

// TraceQueryEnd implements pgx.QueryTracer.
func (w *worker) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {
	w.losing.Store(false)
}

// TracePrepareStart implements pgx.PrepareTracer: a statement is prepared before its first execution, and that answer is
// not the one to be lost.
func (w *worker) TracePrepareStart(ctx context.Context, conn *pgx.Conn, _ pgx.TracePrepareStartData) context.Context {
	w.deafen(conn, false)
	return ctx
}

// TracePrepareEnd implements pgx.PrepareTracer.
func (w *worker) TracePrepareEnd(_ context.Context, conn *pgx.Conn, _ pgx.TracePrepareEndData) {
	w.deafen(conn, w.losing.Load())
}

func (w *worker) deafen(conn *pgx.Conn, deaf bool) {
	if c, ok := conn.PgConn().Conn().(*deafConn); ok {
		c.deaf.Store(deaf)
	}
}

// deafConn is a connection that can break when the next answer arrives.
type deafConn struct {
	net.Conn
	deaf atomic.Bool
}

// Read implements net.Conn.
func (c *deafConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.deaf.Load() && n > 0 { // the server has answered, so it has done what it was asked for
		_ = c.Close()
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}
