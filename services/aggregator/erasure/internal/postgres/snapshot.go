// Package postgres holds the SQL of a verification.
package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/protocol/erased"
)

// Snapshot reads in a repeatable-read transaction.
type Snapshot struct{ Tx pgx.Tx }

// Receipt is a receipt with what it remembers of its user.
type Receipt struct {
	ID       uuid.UUID
	State    string
	Phase    string
	HeldBy   []int64
	Asked    time.Time
	Finished *time.Time
	Numbers  []int64
	salt     []byte
	digests  [][]byte // of the subject and of all its ids
}

// Of reports whether a receipt is of a user with a user id or an anonymous id.
func (r *Receipt) Of(id string) bool {
	user, visitor := erased.Digest(r.salt, false, id), erased.Digest(r.salt, true, id)
	return slices.ContainsFunc(r.digests, func(d []byte) bool { return bytes.Equal(d, user) || bytes.Equal(d, visitor) })
}

// Table is how many rows a table has of a user.
type Table struct {
	Name string
	Left int64
}

// Prepare lets statements take their time.
func (s Snapshot) Prepare(ctx context.Context) error {
	if _, err := s.Tx.Exec(ctx, `SET LOCAL statement_timeout = 0`); err != nil {
		return fmt.Errorf("prepare the snapshot: %w", err)
	}
	return nil
}

// Project returns the number of a project, and whether there is one.
func (s Snapshot) Project(ctx context.Context, slug string) (id int16, ok bool, err error) {
	err = s.Tx.QueryRow(ctx, `SELECT id FROM auth.projects WHERE slug = $1`, slug).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("look for the project: %w", err)
	}
	return id, true, nil
}

// Receipts returns one receipt of a project, or with uuid.Nil all of them, the earliest first.
func (s Snapshot) Receipts(ctx context.Context, project int16, id uuid.UUID) ([]Receipt, error) {
	const query = `
		SELECT e.id, e.state, e.phase, e.held_by, e.requested_at, e.finished_at, e.salt, coalesce(array_agg(u.n) FILTER (WHERE u.n IS NOT NULL), '{}'),
			array_append(coalesce(array_agg(u.digest) FILTER (WHERE u.n IS NOT NULL), '{}'), e.digest)
		FROM ingest.erasures AS e LEFT JOIN ingest.erased_users AS u ON u.project = e.project AND u.erasure = e.id
		WHERE e.project = $1 AND $2::uuid IN (e.id, '00000000-0000-0000-0000-000000000000')
		GROUP BY e.project, e.id
		ORDER BY e.id`
	rows, err := s.Tx.Query(ctx, query, project, id)
	if err != nil {
		return nil, fmt.Errorf("read receipts: %w", err)
	}
	receipts, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r Receipt, err error) {
		err = row.Scan(&r.ID, &r.State, &r.Phase, &r.HeldBy, &r.Asked, &r.Finished, &r.salt, &r.Numbers, &r.digests)
		return r, err
	})
	if err != nil {
		return nil, fmt.Errorf("read receipts: %w", err)
	}
	return receipts, nil
}

// Known reports whether the dictionary has an id, of either kind.
func (s Snapshot) Known(ctx context.Context, project int16, id string) (known bool, err error) {
	const query = `SELECT EXISTS (SELECT FROM ingest.users WHERE project = $1 AND id = $2)`
	if err := s.Tx.QueryRow(ctx, query, project, id).Scan(&known); err != nil {
		return false, fmt.Errorf("look for the user: %w", err)
	}
	return known, nil
}

// counts are the queries of what is left of the numbers $2 in the project $1.
var counts = []struct{ table, query string }{
	{"ingest.users", `SELECT count(*) FROM ingest.users WHERE project = $1 AND (n = ANY($2) OR person = ANY($2))`},
	{"ingest.events", `SELECT count(*) FROM ingest.events WHERE project = $1 AND user_n = ANY($2)`},
	{"ingest.orders", `SELECT count(*) FROM ingest.orders WHERE project = $1 AND user_n = ANY($2)`},
	{"ingest.refunds", `SELECT count(*) FROM ingest.refunds WHERE project = $1 AND user_n = ANY($2)`},
	{"stats.user_daily_stats", `SELECT count(*) FROM stats.user_daily_stats WHERE project = $1 AND user_n = ANY($2)`},
	{"stats.user_daily_revenue", `SELECT count(*) FROM stats.user_daily_revenue WHERE project = $1 AND user_n = ANY($2)`},
}

// nobodys are the queries of what raw rows of nobody have in the project $1 that they must not have.
var nobodys = []struct{ table, query string }{
	{"ingest.events of nobody", `SELECT count(*) FROM ingest.events WHERE project = $1 AND user_n = 0 AND properties IS NOT NULL`},
	{"ingest.orders of nobody", `SELECT count(*) FROM ingest.orders WHERE project = $1 AND user_n = 0 AND properties IS NOT NULL`},
	{"ingest.refunds of nobody", `SELECT count(*) FROM ingest.refunds WHERE project = $1 AND user_n = 0 AND reason IS NOT NULL`},
}

// Left counts in each table what is left of a user.
func (s Snapshot) Left(ctx context.Context, project int16, r *Receipt) ([]Table, error) {
	var tables []Table
	add := func(table, query string, args ...any) error {
		var n int64
		if err := s.Tx.QueryRow(ctx, query, args...).Scan(&n); err != nil {
			return fmt.Errorf("look into %s: %w", table, err)
		}
		tables = append(tables, Table{table, n})
		return nil
	}
	for _, c := range counts {
		if err := add(c.table, c.query, project, r.Numbers); err != nil {
			return nil, err
		}
	}
	for _, c := range nobodys {
		if err := add(c.table, c.query, project); err != nil {
			return nil, err
		}
	}
	sets, err := s.inSets(ctx, project, r.Numbers)
	if err != nil {
		return nil, err
	}
	const subject = `SELECT count(*) FROM ingest.erasures WHERE project = $1 AND id = $2 AND subject IS NOT NULL`
	if err := add("ingest.erasures", subject, project, r.ID); err != nil {
		return nil, err
	}
	return append(tables, Table{"stats.daily_user_sets", sets}), nil
}

// inSets returns how many sets of days have one of some users.
func (s Snapshot) inSets(ctx context.Context, project int16, numbers []int64) (n int64, err error) {
	const query = `SELECT chunk, users FROM stats.daily_user_sets WHERE project = $1 AND chunk IN (SELECT (n >> 16)::integer FROM unnest($2::bigint[]) AS n)`
	rows, err := s.Tx.Query(ctx, query, project, numbers)
	if err != nil {
		return 0, fmt.Errorf("look into sets of users: %w", err)
	}
	var chunk int32
	var data []byte
	_, err = pgx.ForEachRow(rows, []any{&chunk, &data}, func() error {
		set := roaring.New()
		if err := set.UnmarshalBinary(data); err != nil {
			return err
		}
		if slices.ContainsFunc(numbers, func(u int64) bool { return int32(u>>16) == chunk && set.Contains(uint32(u&0xffff)) }) {
			n++
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("look into sets of users: %w", err)
	}
	return n, nil
}
