package postgres

import (
	"context"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/rollup"
)

// replace makes the rows of a scope those of the shadow table. Rows that are right are not touched, in however many lanes
// they are.
func replace(ctx context.Context, tx pgx.Tx, t *rollup.Table, scope postgres.Scope, done *Swapped, changed rollup.Changed) error {
	before, err := count(ctx, tx, t, scope)
	if err != nil {
		return err
	}
	var removed int64
	if before > 0 { // a project without orders has no rows in half of the tables
		remove := removeSums
		if t.Blobs() {
			remove = removeBlobs
		}
		if removed, err = remove(ctx, tx, t, scope, changed); err != nil {
			return err
		}
	}
	columns := strings.Join(columnsOf(t), ", ")
	add := `
		INSERT INTO stats.` + t.Name + ` AS s (` + columns + `)
		SELECT ` + columns + ` FROM shadow.` + t.Name + ` AS n
		WHERE ` + within(t, "n") + ` AND NOT EXISTS (SELECT FROM stats.` + t.Name + ` AS s WHERE ` + within(t, "s") + ` AND ` + equal(keyOf(t), "s", "n") + `)
		RETURNING ` + subject(t)
	added, err := change(ctx, tx, t, scope, add, changed)
	if err != nil {
		return err
	}
	done.Removed, done.Added = done.Removed+removed, done.Added+added
	done.Before, done.After = done.Before+before, done.After+before-removed+added
	return nil
}

// removeSums deletes the rows, in all lanes, whose sums over the lanes are not those of the shadow table.
func removeSums(ctx context.Context, tx pgx.Tx, t *rollup.Table, scope postgres.Scope, changed rollup.Changed) (int64, error) {
	key := strings.Join(keyOf(t), ", ")
	sums := make([]string, len(t.Values))
	for i, value := range t.Values {
		sums[i] = "stats.total(" + value + ") AS " + value
	}
	return change(ctx, tx, t, scope, `
		DELETE FROM stats.`+t.Name+` AS s
		USING (
			SELECT * FROM (SELECT `+key+`, `+strings.Join(sums, ", ")+` FROM stats.`+t.Name+` AS s WHERE `+within(t, "s")+` GROUP BY `+key+`) AS stored
			WHERE NOT EXISTS (SELECT FROM shadow.`+t.Name+` AS n WHERE `+equal(append(keyOf(t), t.Values...), "n", "stored")+`)
		) AS wrong
		WHERE `+within(t, "s")+` AND `+equal(keyOf(t), "s", "wrong")+`
		RETURNING `+subject(t), changed)
}

// removeBlobs deletes the rows, in all lanes, that do not represent the users of the shadow table. Nobody else can write the rows
// in the meantime, so each stays where it is.
func removeBlobs(ctx context.Context, tx pgx.Tx, t *rollup.Table, scope postgres.Scope, changed rollup.Changed) (int64, error) {
	key, value := "s."+strings.Join(keyOf(t), ", s."), t.Values[0]
	unlike := `
		SELECT row, place, counted, stored
		FROM (
			SELECT dense_rank() OVER (ORDER BY ` + key + `) AS row, s.ctid::text AS place, n.` + value + ` AS counted, s.` + value + ` AS stored,
				bool_and(n.` + value + ` IS NOT DISTINCT FROM s.` + value + `) OVER (PARTITION BY ` + key + `) AS same
			FROM stats.` + t.Name + ` AS s LEFT JOIN shadow.` + t.Name + ` AS n ON ` + equal(keyOf(t), "n", "s") + `
			WHERE ` + within(t, "s") + `
		) AS every
		WHERE NOT same
		ORDER BY row`
	rows, err := tx.Query(ctx, unlike, arguments(t, scope)...)
	if err != nil {
		return 0, err
	}
	found := lanes{table: t}
	var n int64
	var place string
	var counted, stored []byte
	if _, err := pgx.ForEachRow(rows, []any{&n, &place, &counted, &stored}, func() error {
		found.add(n, place, counted, stored)
		return nil
	}); err != nil {
		return 0, err
	}
	found.next()
	if len(found.wrong) == 0 {
		return 0, nil
	}
	remove := `DELETE FROM stats.` + t.Name + ` AS s WHERE ` + within(t, "s") + ` AND s.ctid = ANY ($4::text[]::tid[])
		RETURNING ` + subject(t)
	return change(ctx, tx, t, scope, remove, changed, found.wrong)
}

// lanes collects the lanes of a row until that of the next row comes.
type lanes struct {
	table   *rollup.Table
	row     int64
	places  []string
	stored  [][]byte
	counted []byte
	wrong   []string // the places of all lanes of rows that are wrong
}

func (l *lanes) add(row int64, place string, counted, stored []byte) {
	if row != l.row {
		l.next()
		l.row, l.counted = row, slices.Clone(counted)
	}
	l.places, l.stored = append(l.places, place), append(l.stored, slices.Clone(stored))
}

// next compares the lanes of the row.
func (l *lanes) next() {
	if len(l.places) > 0 && (l.counted == nil || !l.table.SameUsers(l.counted, l.stored)) {
		l.wrong = append(l.wrong, l.places...)
	}
	l.places, l.stored = nil, nil
}

// count returns how many rows of a scope a rollup has, in all lanes.
func count(ctx context.Context, tx pgx.Tx, t *rollup.Table, scope postgres.Scope) (n int64, err error) {
	err = tx.QueryRow(ctx, `SELECT count(*) FROM stats.`+t.Name+` AS s WHERE `+within(t, "s"), arguments(t, scope)...).Scan(&n)
	return n, err
}

// change runs a statement on the rows of a scope, notes what it changes and returns how many rows these are.
func change(ctx context.Context, tx pgx.Tx, t *rollup.Table, scope postgres.Scope, statement string, changed rollup.Changed, more ...any) (int64, error) {
	rows, err := tx.Query(ctx, statement, append(arguments(t, scope), more...)...)
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

// arguments are those of within.
func arguments(t *rollup.Table, scope postgres.Scope) []any {
	if isHourly(t) {
		return []any{scope.Project.ID, scope.FirstHour, scope.EndHour}
	}
	return []any{scope.Project.ID, scope.First.Date(), scope.Last.Date()}
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

// keyOf lists the columns of the key of a table, without the lane.
func keyOf(t *rollup.Table) []string {
	columns := []string{"project"}
	for _, column := range t.Key {
		columns = append(columns, string(column))
	}
	return columns
}

// columnsOf lists all columns of a table.
func columnsOf(t *rollup.Table) []string {
	return append(append(keyOf(t), "lane"), t.Values...)
}

// equal is the condition that the rows a and b are equal in some columns.
func equal(columns []string, a, b string) string {
	conditions := make([]string, len(columns))
	for i, c := range columns {
		conditions[i] = a + "." + c + " = " + b + "." + c
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
