package proxy_test

import (
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/test/torture/internal/proxy"
)

func TestMain(m *testing.M) { platformtest.Main(m, dbtest.Stop) }

// stand is a proxy in front of a database with one table.
type stand struct {
	t      *testing.T
	proxy  *proxy.Proxy
	url    string // through the proxy
	direct *pgx.Conn
}

func newStand(t *testing.T) *stand {
	t.Helper()
	u, err := url.Parse(dbtest.New(t).URL())
	if err != nil {
		t.Fatal(err)
	}
	s := &stand{t: t, direct: connect(t, u.String())}
	if s.proxy, err = proxy.Listen(t.Context(), u.Host); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.proxy.Close() })
	u.Host = s.proxy.Addr()
	s.url = u.String()
	if _, err := s.direct.Exec(t.Context(), `CREATE TABLE public.facts (n int PRIMARY KEY)`); err != nil {
		t.Fatal(err)
	}
	return s
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func (s *stand) rows() (n int) {
	s.t.Helper()
	if err := s.direct.QueryRow(s.t.Context(), `SELECT count(*) FROM facts`).Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

const insert = `INSERT INTO facts (n) VALUES ($1) RETURNING n`

// one writes in an implicit transaction, as ingest does.
func one(ctx context.Context, conn *pgx.Conn) error {
	return conn.QueryRow(ctx, insert, 1).Scan(new(int))
}

// transaction writes in an explicit transaction, as the aggregator does.
func transaction(ctx context.Context, conn *pgx.Conn) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, insert, 1)
		return err
	})
}

// TestMoments checks for each cut what the client sees and what is stored.
func TestMoments(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		moment proxy.Moment
		write  func(context.Context, *pgx.Conn) error
		fails  bool
		stored int
	}{
		{"before, one statement", proxy.Before, one, true, 0},
		{"during, one statement", proxy.During, one, true, 1},
		{"promised, one statement", proxy.Promised, one, true, 0},
		{"partly, one statement", proxy.Partly, one, true, 1},
		{"after, one statement", proxy.After, one, false, 1},
		{"before, transaction", proxy.Before, transaction, true, 0},
		{"during, transaction", proxy.During, transaction, true, 1},
		{"promised, transaction", proxy.Promised, transaction, false, 1}, // does not apply; the cut waits for an implicit transaction
		{"partly, transaction", proxy.Partly, transaction, true, 1},
		{"after, transaction", proxy.After, transaction, false, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t)
			conn := connect(t, s.url)
			done := s.proxy.Arm(test.moment)
			if _, err := conn.Exec(t.Context(), `SELECT count(*) FROM facts WHERE n > $1`, 0); err != nil {
				t.Errorf("a statement that only reads: %v", err)
			}
			err := test.write(t.Context(), conn)
			if (err != nil) != test.fails {
				t.Errorf("the client sees %v", err)
			}
			if test.name != "promised, transaction" {
				await(t, "the cut is reported", done)
				if err := conn.Ping(t.Context()); err == nil {
					t.Error("the connection still works")
				}
			}
			// Inserting the row again waits for a transaction in flight, and finds the row if that transaction commits.
			tag, err := s.direct.Exec(t.Context(), `INSERT INTO facts (n) VALUES (1) ON CONFLICT DO NOTHING`)
			if stored := 1 - int(tag.RowsAffected()); err != nil || stored != test.stored {
				t.Errorf("stored: %d rows, %v; want %d", stored, err, test.stored)
			}
			if _, err := s.direct.Exec(t.Context(), `DELETE FROM facts`); err != nil {
				t.Fatal(err)
			}
			if err := test.write(t.Context(), connect(t, s.url)); err != nil {
				t.Errorf("the next write: %v", err)
			}
		})
	}
}

func await(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatalf("not within 10 s: %s", what)
	}
}

// TestPipeline sends large messages, COPY and failing statements through the proxy.
func TestPipeline(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	conn := connect(t, s.url)
	rows := make([][]any, 100_000)
	for i := range rows {
		rows[i] = []any{i}
	}
	if _, err := conn.CopyFrom(t.Context(), pgx.Identifier{"facts"}, []string{"n"}, pgx.CopyFromRows(rows)); err != nil {
		t.Fatal(err)
	}
	if err := one(t.Context(), conn); err == nil {
		t.Error("no error for a row that is there")
	}
	var text string
	if err := conn.QueryRow(t.Context(), `SELECT repeat('x', 10000000)`).Scan(&text); err != nil || len(text) != 10_000_000 {
		t.Errorf("a large answer: %d, %v", len(text), err)
	}
	if n := s.rows(); n != len(rows) {
		t.Errorf("%d rows", n)
	}
}

// TestDrop drops the packets of a connection and of one that is being made. Neither side notices, and both go on afterwards.
func TestDrop(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	conn := connect(t, s.url)
	s.proxy.Drop(true)
	answered, connected := make(chan error, 1), make(chan error, 1)
	go func() { answered <- one(t.Context(), conn) }()
	go func() {
		other, err := pgx.Connect(t.Context(), s.url)
		if err == nil {
			err = other.Close(t.Context())
		}
		connected <- err
	}()
	if n := s.rows(); n != 0 { // the time that this takes is enough for a proxy that lets them pass
		t.Errorf("%d rows were stored", n)
	}
	select {
	case err := <-answered:
		t.Errorf("answered: %v", err)
	case err := <-connected:
		t.Errorf("connected: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	s.proxy.Drop(false)
	for _, done := range []chan error{answered, connected} {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if n := s.rows(); n != 1 {
		t.Errorf("%d rows", n)
	}
}

// TestRelay does the same for a protocol that the proxy does not know.
func TestRelay(t *testing.T) {
	t.Parallel()
	u, err := url.Parse(dbtest.New(t).URL())
	if err != nil {
		t.Fatal(err)
	}
	relay, err := proxy.ListenRelay(t.Context(), u.Host)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = relay.Addr()
	conn := connect(t, u.String())
	relay.Drop(true)
	answered := make(chan error, 1)
	go func() { answered <- conn.Ping(t.Context()) }()
	select {
	case err := <-answered:
		t.Errorf("answered: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	relay.Drop(false)
	if err := <-answered; err != nil {
		t.Error(err)
	}
	if err := relay.Close(); err != nil {
		t.Error(err)
	}
	if err := conn.Ping(t.Context()); err == nil {
		t.Error("a closed relay forwards")
	}
}

func TestSever(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	conns := []*pgx.Conn{connect(t, s.url), connect(t, s.url)}
	if n := s.proxy.Sever(); n != len(conns) {
		t.Errorf("%d connections severed", n)
	}
	for _, conn := range conns {
		if err := conn.Ping(t.Context()); err == nil {
			t.Error("a connection still works")
		}
	}
	if err := connect(t, s.url).Ping(t.Context()); err != nil {
		t.Errorf("a new connection: %v", err)
	}
	if err := s.proxy.Close(); err != nil {
		t.Error(err)
	}
	if _, err := pgx.Connect(t.Context(), s.url); err == nil {
		t.Error("a closed proxy accepts connections")
	}
}
