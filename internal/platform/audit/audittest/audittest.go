// Package audittest reads the audit log in tests of what adds rows to it.
package audittest

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Lines returns the rows of the log of the database at url, whose login must be its owner, oldest first. A line is "KIND ACTION
// DETAILS"; the details are as Postgres shows them.
func Lines(tb testing.TB, url string) []string {
	tb.Helper()
	conn := connect(tb, url)
	rows, err := conn.Query(tb.Context(), `SELECT actor_kind || ' ' || action || ' ' || details FROM audit.log ORDER BY id`)
	if err != nil {
		tb.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		tb.Fatal(err)
	}
	return lines
}

// Break lets no service add rows to the log of the database at url any more.
func Break(tb testing.TB, url string) {
	tb.Helper()
	const revoke = `REVOKE INSERT ON audit.log FROM hp_auth, hp_catalog, hp_ingest, hp_aggregator`
	if _, err := connect(tb, url).Exec(tb.Context(), revoke); err != nil {
		tb.Fatal(err)
	}
}

func connect(tb testing.TB, url string) *pgx.Conn {
	tb.Helper()
	conn, err := pgx.Connect(tb.Context(), url)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close(context.WithoutCancel(tb.Context())) })
	return conn
}
