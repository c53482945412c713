package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// marker is a setting of our own. Each session has a random value, so a connection notices when a pooler gives it the session
// of another one.
const marker = "hp_analytics.session"

// session is what a connection was set up with. It is not sent as startup parameters: poolers refuse those that they do not
// know, or drop them without a word (ignore_startup_parameters), and the service would run with the rights of the login.
type session struct {
	role          string // "" for the login's own
	names, values []string
}

// sessionKey is the key of a connection's session in its custom data.
const sessionKey = "session"

// begin sets up the session of a new connection and checks it.
func begin(ctx context.Context, conn *pgx.Conn, role string, settings []Setting) error {
	settings = slices.Clone(settings) // connections of one pool begin side by side
	if role != "" {
		settings = append(settings, Setting{Name: "role", Value: role})
	}
	s := session{role: role}
	for _, setting := range append(settings, Setting{Name: marker, Value: rand.Text()}) {
		s.names, s.values = append(s.names, setting.Name), append(s.values, setting.Value)
	}
	// Postgres returns values as it shows them: 15s for 15000.
	const set = `SELECT array_agg(set_config(name, value, false) ORDER BY n) FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS s (name, value, n)`
	if err := conn.QueryRow(ctx, set, pgx.QueryExecModeExec, s.names, s.values).Scan(&s.values); err != nil {
		return fmt.Errorf("set up the session: %w", err)
	}
	conn.PgConn().CustomData()[sessionKey] = s
	return check(ctx, conn)
}

// check returns an error unless the session of conn still has its role and settings. A connection that was not made by a
// pool of Open passes.
func check(ctx context.Context, conn *pgx.Conn) error {
	s, ours := conn.PgConn().CustomData()[sessionKey].(session)
	if !ours {
		return nil
	}
	const differ = `
		SELECT current_user, coalesce(array_agg(name) FILTER (WHERE current_setting(name, true) IS DISTINCT FROM value), '{}')
		FROM unnest($1::text[], $2::text[]) AS s (name, value)`
	var user string
	var wrong []string
	if err := conn.QueryRow(ctx, differ, pgx.QueryExecModeExec, s.names, s.values).Scan(&user, &wrong); err != nil {
		return fmt.Errorf("check the session: %w", err)
	}
	switch {
	case slices.Contains(wrong, marker):
		return errShared
	case len(wrong) > 0:
		return unavailable.Because(fmt.Errorf("the session has lost its settings %s", strings.Join(wrong, ", ")))
	case s.role != "" && user != s.role:
		return unavailable.Because(fmt.Errorf("the session acts as %s, not as %s", user, s.role))
	}
	return nil
}

// errShared is the error of a connection that has no session of its own.
var errShared = unavailable.Because(errors.New("a pooler between this process and Postgres shares sessions among clients, as PgBouncer does with " +
	"pool_mode=transaction or statement; roles, timeouts, synchronous_commit and advisory locks belong to a session and would be lost: " +
	"set pool_mode=session for this database, or connect to Postgres directly"))
