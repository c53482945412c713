package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/rollup"
)

// replace makes the rows of a scope those of the shadow table. Rows that are right are not touched.
func replace(ctx context.Context, tx pgx.Tx, t *rollup.Table, scope postgres.Scope, done *Swapped, changed rollup.Changed) error {
	columns := strings.Join(columnsOf(t), ", ")
	remove := `
		DELETE FROM stats.` + t.Name + ` AS s
		WHERE ` + within(t, "s") + ` AND NOT EXISTS (SELECT FROM shadow.` + t.Name + ` AS n WHERE ` + equal(t, "n", "s") + `)
		RETURNING ` + subject(t)
	add := `
		INSERT INTO stats.` + t.Name + ` AS s (` + columns + `)
		SELECT ` + columns + ` FROM shadow.` + t.Name + ` AS n
		WHERE ` + within(t, "n") + ` AND NOT EXISTS (SELECT FROM stats.` + t.Name + ` AS s WHERE ` + equal(t, "s", "n") + `)
		RETURNING ` + subject(t)
	removed, err := change(ctx, tx, t, scope, remove, changed)
	if err != nil {
		return err
	}
	added, err := change(ctx, tx, t, scope, add, changed)
	if err != nil {
		return err
	}
	done.Removed, done.Added = done.Removed+removed, done.Added+added
	return nil
}

// countShadow returns how many rows the shadow tables have.
func countShadow(ctx context.Context, tx pgx.Tx) (rows int64, err error) {
	var counts []string
	for _, t := range rollup.Tables {
		counts = append(counts, `(SELECT count(*) FROM shadow.`+t.Name+`)`)
	}
	if err := tx.QueryRow(ctx, `SELECT `+strings.Join(counts, " + ")).Scan(&rows); err != nil {
		return 0, fmt.Errorf("count the rows of the shadow tables: %w", err)
	}
	return rows, nil
}

// change runs a statement on the rows of a scope, notes what it changes and returns how many rows these are.
func change(ctx context.Context, tx pgx.Tx, t *rollup.Table, scope postgres.Scope, statement string, changed rollup.Changed) (int64, error) {
	arguments := []any{scope.Project.ID, scope.First.Date(), scope.Last.Date()}
	if isHourly(t) {
		arguments = []any{scope.Project.ID, scope.FirstHour, scope.EndHour}
	}
	rows, err := tx.Query(ctx, statement, arguments...)
	if err != nil {
		return 0, err
	}
	key := rollup.Key{Project: scope.Project.ID}
	tag, err := pgx.ForEachRow(rows, []any{&key.Product, &key.User}, func() error {
		changed.Note(key)
		return nil
	})
	return tag.RowsAffected(), err
}

func isHourly(t *rollup.Table) bool { return slices.Contains(t.Key, rollup.Hour) }

// within is the condition that a row belongs to the scope: to the project $1, and to the days from $2 to $3 or the hours from $2 up
// to, but not including, $3.
func within(t *rollup.Table, row string) string {
	if isHourly(t) {
		return row + ".project = $1 AND " + row + ".hour >= $2 AND " + row + ".hour < $3"
	}
	return row + ".project = $1 AND " + row + ".day BETWEEN $2 AND $3"
}

// columnsOf lists all columns of a table.
func columnsOf(t *rollup.Table) []string {
	columns := []string{"project", "lane"}
	for _, column := range t.Key {
		columns = append(columns, string(column))
	}
	return append(columns, t.Values...)
}

// equal is the condition that the rows a and b are equal in all columns.
func equal(t *rollup.Table, a, b string) string {
	var conditions []string
	for _, c := range columnsOf(t) {
		conditions = append(conditions, a+"."+c+" = "+b+"."+c)
	}
	return strings.Join(conditions, " AND ")
}

// subject selects the product and the user of a row s, whose cached answers depend on it; 0 where it has none.
func subject(t *rollup.Table) string {
	product, user := "0::integer", "0::bigint"
	if slices.Contains(t.Key, rollup.Product) {
		product = "s.product"
	}
	if slices.Contains(t.Key, rollup.User) {
		user = "s.user_n"
	}
	return product + ", " + user
}
