package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/localruntime/localproc"
)

// readOnly makes the database refuse writes, or accept them again, for all sessions: it ends those that there are.
func (p *platform) readOnly(ctx context.Context, on bool) error {
	conn, err := pgx.Connect(ctx, p.Postgres.URL())
	if err != nil {
		return fmt.Errorf("connect to change the database: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // everything is done
	for _, statement := range []string{
		`SET default_transaction_read_only = off`, // of this session; the next statement writes
		fmt.Sprintf(`DO $$ BEGIN EXECUTE format('ALTER DATABASE %%I SET default_transaction_read_only = %t', current_database()); END $$`, on),
		`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
	} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("change the database: %w", err)
		}
	}
	return nil
}

// damage adds a batch that claims to have more rows than its facts. It removes the batch when the aggregator has set it aside.
func (p *platform) damage(ctx context.Context) (seen string, err error) {
	conn, err := pgx.Connect(ctx, p.Postgres.URL())
	if err != nil {
		return "", fmt.Errorf("connect to damage a batch: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // everything is done
	begin := time.Now()
	var batch int64
	// Its facts have one record, of the user, product and name 1.
	const insert = `
		INSERT INTO ingest.batches (id, project, kind, rows, min_ts, max_ts, facts)
		VALUES (nextval('ingest.batch_ids'), 1, 'events', 3, now(), now(), '\\x010000010101')
		RETURNING id`
	if err := conn.QueryRow(ctx, insert).Scan(&batch); err != nil {
		return "", fmt.Errorf("insert a damaged batch: %w", err)
	}
	defer func() {
		_, removed := conn.Exec(context.WithoutCancel(ctx), `DELETE FROM ingest.batches WHERE id = $1`, batch)
		err = errors.Join(err, removed)
	}()
	for failed := false; !failed; {
		if err := localproc.Pause(ctx, 20*time.Millisecond); err != nil {
			return "", err
		}
		if err := conn.QueryRow(ctx, `SELECT failed_at IS NOT NULL FROM ingest.batches WHERE id = $1`, batch).Scan(&failed); err != nil {
			return "", fmt.Errorf("look for the damaged batch: %w", err)
		}
	}
	var folded int
	const others = `SELECT count(*) FROM ingest.batches WHERE aggregated_at >= (SELECT received_at FROM ingest.batches WHERE id = $1)`
	if err := conn.QueryRow(ctx, others, batch).Scan(&folded); err != nil {
		return "", fmt.Errorf("count the other batches: %w", err)
	}
	return fmt.Sprintf(", set aside after %.1fs, %d others were folded", time.Since(begin).Seconds(), folded), nil
}

// slowConnections is how many bodies are sent slowly at the same time.
const slowConnections = 50

// slowEnd bounds how long ingest takes to end slow bodies. It is far more than INGEST_BODY_STALL, 5 s.
const slowEnd = 30 * time.Second

// slow begins requests whose bodies do not go on for d, and waits until ingest has ended all of them.
func (t *trial) slow(ctx context.Context, d time.Duration) (seen string, err error) {
	if err := t.platform.ingest.AwaitReady(ctx); err != nil { // it may have been killed a moment ago
		return "", err
	}
	u, err := url.Parse(t.platform.ingest.URL())
	if err != nil {
		return "", fmt.Errorf("parse the address of ingest: %w", err)
	}
	head := "POST /events HTTP/1.1\r\nHost: " + u.Host + "\r\nAuthorization: Bearer " + t.key +
		"\r\nContent-Type: application/json\r\nContent-Length: 4096\r\n\r\n{"
	var conns []net.Conn
	defer func() {
		for _, conn := range conns {
			_ = conn.Close() // in the middle of a request
		}
	}()
	for range slowConnections {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", u.Host)
		if err != nil {
			return "", fmt.Errorf("connect to ingest: %w", err)
		}
		conns = append(conns, conn)
		if _, err := conn.Write([]byte(head)); err != nil {
			return "", fmt.Errorf("begin a request: %w", err)
		}
	}
	if err := localproc.Pause(ctx, d); err != nil {
		return "", err
	}
	begin := time.Now()
	for i, conn := range conns {
		if err := conn.SetReadDeadline(begin.Add(slowEnd)); err != nil {
			return "", fmt.Errorf("look for an answer: %w", err)
		}
		if _, err := conn.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
			return "", fmt.Errorf("ingest has ended only %d of %d slow bodies %s after %s without a byte", i, slowConnections, slowEnd, d)
		}
	}
	return fmt.Sprintf(", %d connections, ingest ended the last of them after %.1fs", slowConnections, (d + time.Since(begin)).Seconds()), nil
}
