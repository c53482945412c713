package segment

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// Query says which segments are read: those whose sums are the numbers of an inclusive range of days, none before 1970.
type Query struct {
	Project     int16
	First, Last time.Time
	Currency    string   // of a table with currencies; empty for all of them
	Columns     []string // of the segments that are read; without any, a segment has only its totals
	IDs         []int64  // the only segments that are read; nil for all
}

// Stored is a segment as a query reads it.
type Stored struct {
	Segment

	ID       int64 // the segment in its table; what is stored with it never changes
	Currency string
}

// Each calls fn with the segments of a query, in no order. Their bytes are valid until fn returns.
func (t *Table) Each(ctx context.Context, tx pgx.Tx, q Query, fn func(s Stored) error) error {
	rows, err := tx.Query(ctx, t.cover(q), q.Project, q.First, q.Last, q.Currency, q.IDs)
	if err != nil {
		return fmt.Errorf("read stats.%s: %w", t.Name, err)
	}
	var s Stored
	var totals, products pgtype.DriverBytes
	columns := make([]pgtype.DriverBytes, len(q.Columns))
	fields := []any{&s.ID, &s.Currency, &totals}
	if len(columns) > 0 {
		fields = append(fields, &products)
	}
	for i := range columns {
		fields = append(fields, &columns[i])
	}
	s.Columns = make([][]byte, len(columns))
	_, err = pgx.ForEachRow(rows, fields, func() error {
		s.Totals, s.Products = totals, products
		for i, data := range columns {
			s.Columns[i] = data
		}
		return fn(s)
	})
	if err != nil {
		return fmt.Errorf("read stats.%s: %w", t.Name, err)
	}
	return nil
}

// cover returns the statement that selects the blocks within a range, the days of it that are in none of them, and what was added
// to any of its days since.
func (t *Table) cover(q Query) string {
	columns := []string{"totals"}
	if len(q.Columns) > 0 {
		columns = append(append(columns, "products"), q.Columns...)
	}
	currency, same, chosen := "''", "", " AND $4 = ''"
	if t.ByCurrency {
		currency, same, chosen = "s.currency", " AND b.currency = s.currency", " AND ($4 = '' OR s.currency = $4)"
	}
	from := `SELECT s.id, ` + currency + `, s.` + strings.Join(columns, ", s.") + ` FROM stats.` + t.Name + ` AS s
		WHERE s.project = $1` + chosen + ` AND ($5::bigint[] IS NULL OR s.id = ANY ($5))`
	days := strconv.Itoa(BlockDays)
	return from + ` AND s.merged AND s.days = ` + days + ` AND s.day BETWEEN $2 AND $3::date - (` + days + ` - 1)
		UNION ALL ` + from + ` AND s.merged AND s.days = 1 AND s.day BETWEEN $2 AND $3 AND NOT EXISTS (
			SELECT FROM stats.` + t.Name + ` AS b
			WHERE b.project = $1 AND b.merged AND b.days = ` + days + ` AND b.day BETWEEN $2 AND $3::date - (` + days + ` - 1)
				AND b.day = s.day - (s.day - date '1970-01-01') % ` + days + same + `)
		UNION ALL ` + from + ` AND NOT s.merged AND s.days = 1 AND s.day BETWEEN $2 AND $3`
}
