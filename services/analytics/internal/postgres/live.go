package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/live"
)

const (
	// liveBatches and liveRows bound what one read of the live stream returns: so many batches, and no further one once they have so many
	// rows.
	liveBatches = 200
	liveRows    = 1000
	// liveScanned and liveScannedForRow bound the rows that are examined for a batch. Raw rows have no index by batch, so they are looked
	// for by their time, among all those of the project within the times of the batch, the newest first.
	liveScanned       = 2000
	liveScannedForRow = 2
)

// Live reads what is committed, for package live.
type Live struct{ store *Store }

// Live returns the source of live events.
func (s *Store) Live() *Live { return &Live{s} }

var _ live.Source = (*Live)(nil)

// CommittedUntil implements live.Source.
func (l *Live) CommittedUntil(ctx context.Context) (time.Time, error) {
	at, err := l.store.watermark.get(ctx)
	return at.Truncate(time.Microsecond), postgres.Classify(err)
}

// liveQuery reads batches by the index of their receipt, and the events of those that have some by the key of events. An event of a user
// who was erased is one of nobody.
const liveQuery = `
	WITH news AS MATERIALIZED (
		SELECT project, id, kind, received_at, min_ts, max_ts, rows, nth, before
		FROM (
			SELECT project, id, kind, received_at, min_ts, max_ts, rows,
			       row_number() OVER in_order AS nth, sum(rows) OVER in_order - rows AS before
			FROM (
				SELECT project, id, kind, received_at, min_ts, max_ts, rows
				FROM ingest.batches
				WHERE received_at >= @after AND received_at < @until AND (received_at, id) >= (@after, @batch)
				  AND project = ANY (@projects) AND rows > 0
				ORDER BY received_at, id
				LIMIT @batches + 1
			) AS received
			WINDOW in_order AS (ORDER BY received_at, id)
		) AS counted
		WHERE nth = 1 OR before < @rows
	)
	SELECT news.project, news.id, news.kind, news.received_at, news.min_ts, news.max_ts, news.rows, news.nth > @batches,
	       e.ts, e.id, coalesce(names.name, ''), users.anonymous, coalesce(users.id, ''), products.id, coalesce(products.sku, '')
	FROM news
	LEFT JOIN LATERAL (
		SELECT ts, id, user_n, product, name
		FROM (
			SELECT ts, id, user_n, product, name, batch
			FROM ingest.events
			WHERE news.kind = 'events' AND project = news.project AND ts >= news.min_ts AND ts <= news.max_ts
			ORDER BY ts DESC, id DESC
			LIMIT @scanned + @scanned_for_row * news.rows
		) AS near
		WHERE batch = news.id AND news.nth <= @batches
		LIMIT news.rows
	) AS e ON true
	LEFT JOIN ingest.names ON names.project = news.project AND names.n = e.name
	LEFT JOIN ingest.users ON users.project = news.project AND users.n = e.user_n
	LEFT JOIN catalog.products ON products.project = news.project AND products.n = e.product
	ORDER BY news.received_at, news.id, e.ts, e.id`

// received is a batch with what its orders or refunds are looked for by.
type received struct {
	live.Batch

	from, to time.Time // the times of its rows
}

// Batches implements live.Source.
func (l *Live) Batches(ctx context.Context, projects []int16, after live.Position, until time.Time) ([]live.Batch, bool, error) {
	found, complete, err := l.received(ctx, projects, after, until)
	if err == nil {
		err = l.addMoney(ctx, found, live.Order)
	}
	if err == nil {
		err = l.addMoney(ctx, found, live.Refund)
	}
	if err != nil {
		return nil, false, postgres.Classify(fmt.Errorf("read live events: %w", err))
	}
	batches := make([]live.Batch, len(found))
	for i := range found {
		batches[i] = found[i].Batch
	}
	return batches, complete, nil
}

// received returns the batches behind a position, those of events with their events.
func (l *Live) received(ctx context.Context, projects []int16, after live.Position, until time.Time) (found []received, complete bool, err error) {
	first := after.Batch // some of its rows can be behind the position
	if after.Event == uuid.Max {
		first++
	}
	rows, err := l.store.pool.Query(ctx, liveQuery, pgx.NamedArgs{
		"projects": projects, "after": after.Received, "batch": first, "until": until,
		"batches": liveBatches, "rows": liveRows, "scanned": liveScanned, "scanned_for_row": liveScannedForRow,
	})
	if err != nil {
		return nil, false, fmt.Errorf("batches: %w", err)
	}
	defer rows.Close()
	complete = true
	total := 0
	for rows.Next() {
		b, e, beyond, err := scanLive(rows)
		if err != nil {
			return nil, false, fmt.Errorf("a batch: %w", err)
		}
		if beyond {
			complete = false
			continue
		}
		if last := len(found) - 1; last < 0 || found[last].ID != b.ID || found[last].Project != b.Project {
			found = append(found, b)
			total += b.Rows
		}
		if e != nil {
			of := &found[len(found)-1]
			of.Events = append(of.Events, *e)
		}
	}
	return found, complete && total < liveRows, rows.Err()
}

// scanLive reads a row of liveQuery: a batch with one of its events, if it has any. beyond says that it only shows that there are more.
func scanLive(rows pgx.Rows) (b received, e *live.Event, beyond bool, err error) {
	var found live.Event
	var ts *time.Time
	var id, product uuid.NullUUID
	var anonymous *bool
	var kind, user string
	err = rows.Scan(&b.Project, &b.ID, &kind, &b.Received, &b.from, &b.to, &b.Rows, &beyond,
		&ts, &id, &found.Type, &anonymous, &user, &product, &found.SKU)
	b.Sort = sorts[kind]
	if err != nil || ts == nil {
		return b, nil, beyond, err
	}
	found.TS, found.ID, found.ProductID = ts.UTC(), id.UUID, product.UUID
	setUser(&found, anonymous, user)
	return b, &found, beyond, nil
}

// sorts are the kinds of batches.
var sorts = map[string]live.Sort{"events": live.Plain, "orders": live.Order, "refunds": live.Refund}

// setUser says whose an event is. anonymous is nil for nobody.
func setUser(e *live.Event, anonymous *bool, id string) {
	switch {
	case anonymous == nil:
	case *anonymous:
		e.AnonymousID = id
	default:
		e.UserID = id
	}
}
