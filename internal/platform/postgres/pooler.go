package postgres

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// sharingRounds is how often RequireSession tries to make a pooler share a session. One round is enough unless other clients
// use the session at that moment, or the pooler takes sessions in turn.
const sharingRounds = 3

// RequireSession returns an error if a pooler gives the session of conn to other clients between transactions. It then says
// so. Behind a pooler it opens a second connection, which tries to get the same session.
func RequireSession(ctx context.Context, conn *pgx.Conn) error {
	var backend uint32
	if err := conn.QueryRow(ctx, `SELECT pg_backend_pid()`, pgx.QueryExecModeExec).Scan(&backend); err != nil {
		return fmt.Errorf("ask for the backend: %w", err)
	}
	if backend == conn.PgConn().PID() {
		return nil // a pooler answers with a process id of its own, because it has no backend yet
	}
	own := rand.Text() // unlike what other clients have left in a session
	if err := mark(ctx, conn, own); err != nil {
		return err
	}
	other, err := pgx.ConnectConfig(ctx, conn.Config())
	if err != nil {
		return fmt.Errorf("connect a second time to check the pooler: %w", err)
	}
	defer other.Close(ctx) //nolint:errcheck // nothing was written
	for range sharingRounds {
		if err := mark(ctx, other, rand.Text()); err != nil {
			return err
		}
		for range 2 { // a pooler that takes sessions in turn answers the two from different ones
			if err := requireMark(ctx, conn, own); err != nil {
				return err
			}
		}
	}
	return nil
}

// requireMark returns errShared if the session of conn does not have the mark value.
func requireMark(ctx context.Context, conn *pgx.Conn, value string) error {
	var found string
	if err := conn.QueryRow(ctx, `SELECT coalesce(current_setting($1, true), '')`, pgx.QueryExecModeExec, marker).Scan(&found); err != nil {
		return fmt.Errorf("read the session's mark: %w", err)
	}
	if found != value {
		return errShared
	}
	return nil
}

func mark(ctx context.Context, conn *pgx.Conn, value string) error {
	if _, err := conn.Exec(ctx, `SELECT set_config($1, $2, false)`, pgx.QueryExecModeExec, marker, value); err != nil {
		return fmt.Errorf("mark the session: %w", err)
	}
	return nil
}
