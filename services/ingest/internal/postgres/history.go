package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/stats/zones"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/history"
)

// Zones returns which time zone holds when in a project: its days are those of its rollups.
func (s *Store) Zones(ctx context.Context, project int16) (localtime.History, error) {
	known, err := zones.Of(ctx, s.pool, project)
	return known, postgres.Classify(err)
}

// Events returns a page of raw events, newest first. Unknown users, products and types have none.
func (s *Store) Events(ctx context.Context, q history.Query) (history.Page, error) {
	f, known, err := s.filterOf(ctx, q)
	if err != nil || !known {
		return history.Page{}, postgres.Classify(err)
	}
	page, err := s.eventPage(ctx, f, q.After, q.Limit)
	return page, postgres.Classify(err)
}

// Timeline returns a page of the events, orders and refunds of a user, newest first, those of the anonymous ids included that were
// identified as this user. An unknown user has none.
func (s *Store) Timeline(ctx context.Context, q history.Timeline) (history.Page, error) {
	users, err := s.usersOf(ctx, q.Project, q.UserID)
	if err != nil || len(users) == 0 {
		return history.Page{}, postgres.Classify(err)
	}
	events, err := s.eventPage(ctx, eventFilter{project: q.Project, users: users, within: q.Range}, q.After, q.Limit)
	if err != nil {
		return history.Page{}, postgres.Classify(err)
	}
	orders, err := s.orderPage(ctx, q, users)
	if err != nil {
		return history.Page{}, postgres.Classify(err)
	}
	refunds, err := s.refundPage(ctx, q, users)
	if err != nil {
		return history.Page{}, postgres.Classify(err)
	}
	return history.Merge(q.Limit, events, orders, refunds), nil
}

// filterOf returns a query in the numbers of the dictionaries. It reports whether all of its texts are known.
func (s *Store) filterOf(ctx context.Context, q history.Query) (f eventFilter, known bool, err error) {
	f = eventFilter{project: q.Project, within: q.Range}
	if q.User != (history.User{}) {
		var n int64
		found, err := s.find(ctx, &n, `SELECT n FROM ingest.users WHERE project = $1 AND anonymous = $2 AND id = $3`,
			q.Project, q.User.Anonymous, q.User.ID)
		if !found || err != nil {
			return f, false, err
		}
		f.users = []int64{n}
	}
	if q.ProductID != uuid.Nil || q.SKU != "" {
		query, by := `SELECT n FROM catalog.products WHERE project = $1 AND id = $2`, any(q.ProductID)
		if q.SKU != "" {
			query, by = `SELECT n FROM catalog.products WHERE project = $1 AND sku = $2`, q.SKU
		}
		if found, err := s.find(ctx, &f.product, query, q.Project, by); !found || err != nil {
			return f, false, err
		}
	}
	if q.Type != "" {
		found, err := s.find(ctx, &f.name, `SELECT n FROM ingest.names WHERE project = $1 AND name = $2`, q.Project, q.Type)
		if !found || err != nil {
			return f, false, err
		}
	}
	return f, true, nil
}

// find reads one number and reports whether there is one.
func (s *Store) find(ctx context.Context, to any, query string, args ...any) (bool, error) {
	err := s.pool.QueryRow(ctx, query, args...).Scan(to)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look up what to filter by: %w", err)
	}
	return true, nil
}

// maxJoined is how many anonymous ids of a user are part of the timeline: those that were identified last. maxExaminedJoined is among
// how many these are looked for.
const (
	maxJoined         = 100
	maxExaminedJoined = 1000
)

// usersOf returns the numbers of a user id and of the anonymous ids that were identified as this user; none if it is unknown.
func (s *Store) usersOf(ctx context.Context, project int16, id string) ([]int64, error) {
	const query = `
		WITH person AS (SELECT n FROM ingest.users WHERE project = $1 AND NOT anonymous AND id = $2),
		joined AS (
			SELECT u.n, u.joined_at FROM person p JOIN ingest.users u ON u.project = $1 AND u.person = p.n LIMIT $4
		)
		SELECT n FROM person
		UNION ALL
		(SELECT n FROM joined ORDER BY joined_at DESC, n LIMIT $3)`
	rows, err := s.pool.Query(ctx, query, project, id, maxJoined, maxExaminedJoined)
	if err != nil {
		return nil, fmt.Errorf("read the ids of a user: %w", err)
	}
	users, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("read the ids of a user: %w", err)
	}
	slices.Sort(users)
	return users, nil
}
