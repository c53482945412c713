package rebuild

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/stats"
	aggregatorpg "github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/redis"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/rollup"
)

const (
	// patience bounds one wait for the lock on the rollups: while a swap waits for the folds before it, those behind it
	// wait too. It is longer than Postgres takes (deadlock_timeout, 1s) to send an autovacuum out of the way.
	patience = 2 * time.Second
	// pause lets folds catch up between two attempts, attempts bounds these.
	pause    = 500 * time.Millisecond
	attempts = 240
)

// table describes a rollup table.
type table struct {
	name   string
	key    []string // without day and lane
	values []string
}

// tables are all rollups, those first that a fold writes first: who locks them in this order cannot meet it crosswise.
var tables = []table{
	{"product_daily_stats", []string{"product_id"}, stats.Columns()},
	{"product_type_daily_stats", []string{"product_id", "type"}, []string{"events"}},
	{"type_daily_stats", []string{"type"}, []string{"events"}},
	{"user_daily_stats", []string{"user_id"}, stats.Columns()},
	{"daily_stats", nil, stats.Columns()},
	{"product_daily_users", []string{"product_id"}, []string{"sketch"}},
	{"daily_users", nil, []string{"sketch"}},
}

// swap replaces the rollups of the day as soon as folds leave room for it.
func (r *rebuild) swap(ctx context.Context, snapshot *aggregatorpg.Snapshot, counted Day, changed redis.Fields) (Day, error) {
	for attempt := 1; ; attempt++ {
		done, err := r.trySwap(ctx, snapshot, counted, changed)
		if _, busy := postgres.IsCode(err, lockNotAvailable); !busy || attempt == attempts {
			return done, err
		}
		select {
		case <-ctx.Done():
			return Day{}, fmt.Errorf("wait for folds: %w", ctx.Err())
		case <-time.After(pause):
		}
	}
}

// trySwap makes the rollups of the day what the snapshot counted, and what was folded since, in one transaction.
func (r *rebuild) trySwap(ctx context.Context, snapshot *aggregatorpg.Snapshot, done Day, changed redis.Fields) (Day, error) {
	var begin time.Time
	err := postgres.InTx(ctx, r.writer, pgx.TxOptions{}, func(tx pgx.Tx) error {
		if err := keepFoldsOut(ctx, tx); err != nil {
			return err
		}
		begin = time.Now()
		late, err := snapshot.Late(ctx, tx, func(deltas *rollup.Deltas) error {
			return aggregatorpg.Shadow.Add(ctx, tx, 0, deltas)
		})
		if err != nil {
			return err
		}
		done.Late, done.Rows = late, done.Rows+late
		for _, t := range tables {
			if err := t.replace(ctx, tx, &done, changed); err != nil {
				return fmt.Errorf("replace %s: %w", t.name, err)
			}
		}
		return r.noteDay(ctx, tx, done)
	})
	done.Locked = time.Since(begin)
	return done, err
}

// lockNotAvailable is the SQLSTATE of a lock_timeout.
const lockNotAvailable = "55P03"

// keepFoldsOut locks the rollups for writers until the end of the transaction. A table lock and not one of the fold's own
// making: it costs a fold nothing, and it holds for whoever writes, an aggregator of an older version included. A fold
// that finds the rollups locked waits before its first row; its batches are not marked yet and thus not taken for late.
func keepFoldsOut(ctx context.Context, tx pgx.Tx) error {
	lock := fmt.Sprintf(`SET LOCAL lock_timeout = %d; LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE`, patience.Milliseconds(), names("stats"))
	if _, err := tx.Exec(ctx, lock); err != nil {
		return fmt.Errorf("wait for folds: %w", err)
	}
	return nil
}

// names lists the rollups of a schema.
func names(schema string) string {
	list := make([]string, len(tables))
	for i, t := range tables {
		list[i] = schema + "." + t.name
	}
	return strings.Join(list, ", ")
}

// replace makes the rows of the day in a rollup those of the shadow, leaves alone what is right, and notes what changed.
func (t table) replace(ctx context.Context, tx pgx.Tx, done *Day, changed redis.Fields) error {
	columns := strings.Join(append(append(append([]string{}, t.key...), "day", "lane"), t.values...), ", ")
	remove := `
		DELETE FROM stats.` + t.name + ` AS s
		WHERE day = $1 AND NOT EXISTS (SELECT FROM shadow.` + t.name + ` AS n WHERE ` + t.equal("n", "s") + `)
		RETURNING ` + t.returned()
	add := `
		INSERT INTO stats.` + t.name + ` AS s (` + columns + `)
		SELECT ` + columns + ` FROM shadow.` + t.name + ` AS n
		WHERE day = $1 AND NOT EXISTS (SELECT FROM stats.` + t.name + ` AS s WHERE ` + t.equal("s", "n") + `)
		RETURNING ` + t.returned()
	removed, err := t.change(ctx, tx, remove, done.Day, changed)
	if err != nil {
		return err
	}
	added, err := t.change(ctx, tx, add, done.Day, changed)
	if err != nil {
		return err
	}
	var after int64
	if err := tx.QueryRow(ctx, `SELECT count(*) FROM shadow.`+t.name).Scan(&after); err != nil {
		return err
	}
	done.Removed, done.Added = done.Removed+removed, done.Added+added
	done.After, done.Before = done.After+after, done.Before+after-added+removed
	return nil
}

// equal is the condition that two rows are the same.
func (t table) equal(a, b string) string {
	conditions := []string{}
	for _, c := range append(append([]string{"day", "lane"}, t.key...), t.values...) {
		conditions = append(conditions, a+"."+c+" = "+b+"."+c)
	}
	return strings.Join(conditions, " AND ")
}

// returned is what a caller has to know of a changed row: who looks it up.
func (t table) returned() string {
	product, user := "NULL::uuid", "NULL::text"
	if len(t.key) > 0 && t.key[0] == "product_id" {
		product = "s.product_id::text"
	}
	if len(t.key) > 0 && t.key[0] == "user_id" {
		user = "s.user_id"
	}
	return product + ", " + user
}

func (t table) change(ctx context.Context, tx pgx.Tx, statement string, day time.Time, changed redis.Fields) (int64, error) {
	rows, err := tx.Query(ctx, statement, day)
	if err != nil {
		return 0, err
	}
	var product, user *string
	tag, err := pgx.ForEachRow(rows, []any{&product, &user}, func() error {
		changed.Note(product, user)
		return nil
	})
	return tag.RowsAffected(), err
}
