package postgres

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/locks"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/stats/segment"
)

const (
	// mergeChunk bounds the unmerged segments that one transaction merges, and so its memory: a fold makes at most some hundred
	// kilobytes of them.
	mergeChunk = 256
	// placesPage bounds the places that are looked for at once.
	placesPage = 1000
)

// place is what merged segments are of.
type place struct {
	project  int16
	day      time.Time
	currency string
}

// MergeSegments merges the segments that folds made, of each day that has at least some, into the one of the day, and adds them to
// the block of the day if there is one. It returns how many it merged. A day that fails is left as it is, and does not keep the
// others from being merged.
func (s Store) MergeSegments(ctx context.Context, least int) (merged int64, err error) {
	var failed []error
	for _, t := range segment.Tables {
		key := "project, " + strings.Join(t.Key(), ", ")
		query := `
			SELECT project, day, ` + currencyOf(t) + ` FROM stats.` + t.Name + ` WHERE NOT merged AND ` + isAfter(t) + `
			GROUP BY ` + key + ` HAVING count(*) >= $4 ORDER BY ` + key + ` LIMIT ` + strconv.Itoa(placesPage)
		err := s.eachPlace(ctx, t, query, least, func(at place) {
			for more := true; more && ctx.Err() == nil; {
				n, err := s.mergeDay(ctx, t, at)
				merged += n
				if err != nil {
					failed = append(failed, fmt.Errorf("merge the segments of project %d on %s: %w", at.project, at.day.Format(time.DateOnly), err))
				}
				more = err == nil && n == mergeChunk
			}
		})
		if err != nil {
			return merged, errors.Join(append(failed, err)...)
		}
	}
	return merged, postgres.Classify(errors.Join(failed...))
}

// currencyOf selects the currency of a segment.
func currencyOf(t *segment.Table) string {
	if t.ByCurrency {
		return "currency"
	}
	return "''"
}

// isAfter is the condition that a segment is of a place after the one of placeArgs.
func isAfter(t *segment.Table) string {
	if t.ByCurrency {
		return `(project, day, currency) > ($1, $2, $3)`
	}
	return `(project, day) > ($1, $2) AND $3 = ''`
}

// eachPlace calls work with each place of a query, which returns up to placesPage of those after the one of placeArgs, in their order. So
// it comes to an end also when places remain what they are.
func (s Store) eachPlace(ctx context.Context, t *segment.Table, query string, arg any, work func(at place)) error {
	for last := (place{project: math.MinInt16}); ; {
		rows, _ := s.Pool.Query(ctx, query, append(placeArgs(last), arg)...) // CollectRows returns its error
		page, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (at place, err error) {
			err = row.Scan(&at.project, &at.day, &at.currency)
			return at, err
		})
		if err != nil {
			return postgres.Classify(fmt.Errorf("look for segments in stats.%s: %w", t.Name, err))
		}
		for _, at := range page {
			work(at)
		}
		if len(page) < placesPage {
			return nil
		}
		last = page[len(page)-1]
	}
}

// mergeDay merges at most mergeChunk segments of a day.
func (s Store) mergeDay(ctx context.Context, t *segment.Table, at place) (n int64, err error) {
	err = s.withSegments(ctx, func(tx pgx.Tx) error {
		added, err := take(ctx, tx, t, at, `NOT merged AND days = 1 AND id IN (
			SELECT id FROM stats.`+t.Name+` WHERE NOT merged AND `+isPlace(t)+` ORDER BY id LIMIT `+strconv.Itoa(mergeChunk)+`)`)
		if err != nil || len(added) == 0 {
			return err
		}
		n = int64(len(added))
		sum, err := segment.Merge(added...)
		if err != nil {
			return err
		}
		before, err := take(ctx, tx, t, at, `merged AND days = 1`)
		if err != nil {
			return err
		}
		day := segment.Row{Project: at.project, Merged: true, Days: 1, Day: at.day, Currency: at.currency}
		if day.Segment, err = segment.Merge(append(before, sum)...); err != nil {
			return err
		}
		if err := t.Insert(ctx, tx, []segment.Row{day}); err != nil {
			return err
		}
		return addToBlock(ctx, tx, t, at, sum)
	})
	if err != nil {
		n = 0
	}
	return n, err
}

// addToBlock adds a segment of a day to the block of the day, if there is one. When a sum becomes too large, there is none any more.
func addToBlock(ctx context.Context, tx pgx.Tx, t *segment.Table, at place, sum segment.Segment) error {
	at.day = blockOf(at.day)
	before, err := take(ctx, tx, t, at, `merged AND days = `+strconv.Itoa(segment.BlockDays))
	if err != nil || len(before) == 0 {
		return err
	}
	block := segment.Row{Project: at.project, Merged: true, Days: segment.BlockDays, Day: at.day, Currency: at.currency}
	block.Segment, err = segment.Merge(append(before, sum)...)
	if errors.Is(err, segment.ErrTooLarge) {
		return nil
	}
	if err != nil {
		return err //nolint:wrapcheck // MergeSegments says what was done
	}
	return t.Insert(ctx, tx, []segment.Row{block}) //nolint:wrapcheck // it names the table
}

// blockOf returns the first day of the block of a day.
func blockOf(day time.Time) time.Time {
	since := int(day.Unix() / (24 * 60 * 60))
	within := (since%segment.BlockDays + segment.BlockDays) % segment.BlockDays // also of a day before 1970, which is in no block
	return day.AddDate(0, 0, -within)
}

// BlockSegments adds up the merged segments of blocks of days that ended before a day, where that is not done yet, and returns how many
// blocks it made.
func (s Store) BlockSegments(ctx context.Context, before time.Time) (made int64, err error) {
	var failed []error
	size := strconv.Itoa(segment.BlockDays)
	for _, t := range segment.Tables {
		other, same := "", ""
		if t.ByCurrency {
			other, same = ", currency", " AND b.currency = whole.currency"
		}
		query := `
			SELECT project, day, ` + currencyOf(t) + `
			FROM (
				SELECT DISTINCT project, day - (day - date '1970-01-01') % ` + size + ` AS day` + other + `
				FROM stats.` + t.Name + ` WHERE merged AND days = 1 AND day >= '1970-01-01' AND project >= $1
			) AS whole
			WHERE day + ` + size + ` <= $4 AND ` + isAfter(t) + ` AND NOT EXISTS (
				SELECT FROM stats.` + t.Name + ` AS b
				WHERE b.project = whole.project AND b.merged AND b.days = ` + size + ` AND b.day = whole.day` + same + `)
			ORDER BY project, day` + other + ` LIMIT ` + strconv.Itoa(placesPage)
		err := s.eachPlace(ctx, t, query, before, func(at place) {
			ok, err := s.block(ctx, t, at)
			if err != nil {
				failed = append(failed, fmt.Errorf("add up segments of project %d from %s on: %w", at.project, at.day.Format(time.DateOnly), err))
			}
			if ok {
				made++
			}
		})
		if err != nil {
			return made, errors.Join(append(failed, err)...)
		}
	}
	return made, postgres.Classify(errors.Join(failed...))
}

// block makes a block. It reports false if there is one already, or if a sum would be too large.
func (s Store) block(ctx context.Context, t *segment.Table, at place) (ok bool, err error) {
	err = s.withSegments(ctx, func(tx pgx.Tx) error {
		exists := false
		size := strconv.Itoa(segment.BlockDays)
		err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM stats.`+t.Name+` WHERE merged AND days = `+size+` AND `+isPlace(t)+`)`, placeArgs(at)...).Scan(&exists)
		if err != nil || exists {
			return err
		}
		days, err := collect(ctx, tx, t, `SELECT `+columnsOf(t)+` FROM stats.`+t.Name+`
			WHERE merged AND days = 1 AND project = $1 AND day BETWEEN $2::date AND $2::date + `+size+` - 1`+ofCurrency(t), at)
		if err != nil || len(days) == 0 {
			return err
		}
		block := segment.Row{Project: at.project, Merged: true, Days: segment.BlockDays, Day: at.day, Currency: at.currency}
		block.Segment, err = segment.Merge(days...)
		if errors.Is(err, segment.ErrTooLarge) {
			return nil // each day is read on its own
		}
		if err != nil {
			return err
		}
		ok = true
		return t.Insert(ctx, tx, []segment.Row{block})
	})
	return ok && err == nil, err
}

// withSegments runs fn in a transaction in which nobody else merges segments or derives them anew. While somebody does, it does nothing.
func (s Store) withSegments(ctx context.Context, fn func(tx pgx.Tx) error) error {
	//nolint:wrapcheck // the caller says what was done
	return postgres.InTx(ctx, s.Pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		var free bool
		const try = `SELECT pg_try_advisory_xact_lock($1::int, $2::int)`
		if err := tx.QueryRow(ctx, try, locks.Segments.Class(), locks.Segments.ID()).Scan(&free); err != nil || !free {
			return err
		}
		return fn(tx)
	})
}

// LockSegments keeps merges out until the end of the transaction. Whoever locks the tables of the rollups, too, takes this lock first.
func LockSegments(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1::int, $2::int)`, locks.Segments.Class(), locks.Segments.ID()); err != nil {
		return fmt.Errorf("lock the segments: %w", err)
	}
	return nil
}

// isPlace is the condition that a segment is of the place of placeArgs.
func isPlace(t *segment.Table) string { return `project = $1 AND day = $2` + ofCurrency(t) }

func ofCurrency(t *segment.Table) string {
	if t.ByCurrency {
		return ` AND currency = $3`
	}
	return ` AND $3 = ''`
}

func placeArgs(at place) []any { return []any{at.project, at.day, at.currency} }

func columnsOf(t *segment.Table) string { return `totals, products, ` + strings.Join(t.Columns, ", ") }

// take deletes the segments of a place that meet a condition and returns them.
func take(ctx context.Context, tx pgx.Tx, t *segment.Table, at place, condition string) ([]segment.Segment, error) {
	return collect(ctx, tx, t, `DELETE FROM stats.`+t.Name+` WHERE `+isPlace(t)+` AND `+condition+` RETURNING `+columnsOf(t), at)
}

// collect returns the segments of a statement.
func collect(ctx context.Context, tx pgx.Tx, t *segment.Table, statement string, at place) ([]segment.Segment, error) {
	rows, err := tx.Query(ctx, statement, placeArgs(at)...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (s segment.Segment, err error) {
		s.Columns = make([][]byte, len(t.Columns))
		fields := []any{&s.Totals, &s.Products}
		for i := range s.Columns {
			fields = append(fields, &s.Columns[i])
		}
		err = row.Scan(fields...)
		return s, err
	})
}
