package postgres

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/history"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/userexport"
)

const (
	// exportOrders is how many orders of an export are in memory at a time, each with all its lines.
	exportOrders = 25
	// maxErasedIDs is of how many ids of a user the erasures are looked for: the one that was asked for, and those that were seen first.
	maxErasedIDs = 100
)

// ExportUser calls each with everything that is stored of a user, as one snapshot has it, and returns when that began. It ends with
// the first error of each. Its memory is that of some rows and of the numbers of the user's ids. The snapshot is held until it
// returns, so the caller bounds its time by ctx.
func (s *Store) ExportUser(ctx context.Context, r userexport.Request, each func(userexport.Line) error) (at time.Time, err error) {
	err = postgres.InTx(ctx, s.pool, snapshot, func(tx pgx.Tx) error {
		if err := allowUntilDeadline(ctx, tx); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, `SELECT now()`).Scan(&at); err != nil {
			return fmt.Errorf("begin an export: %w", err)
		}
		sub, err := findSubject(ctx, tx, r)
		if err != nil {
			return err
		}
		e := userExport{tx: tx, project: r.Project, each: each, ids: []erasedID{{r.Subject, r.Anonymous}}}
		if sub.person != 0 {
			e.ids[0].anonymous = &sub.anonymous
			if err := e.person(ctx, sub.person); err != nil {
				return err
			}
		}
		return e.rest(ctx)
	})
	return at.UTC(), postgres.Classify(err)
}

// allowUntilDeadline lets a statement of tx take what is left of the time of ctx: a cursor's time includes that of whoever reads the lines.
func allowUntilDeadline(ctx context.Context, tx pgx.Tx) error {
	until, ok := ctx.Deadline()
	if !ok {
		return nil
	}
	left := max(time.Until(until).Milliseconds(), 1) // 0 is no limit
	if _, err := tx.Exec(ctx, `SELECT set_config('statement_timeout', $1, true)`, strconv.FormatInt(left, 10)); err != nil {
		return fmt.Errorf("set the time of an export: %w", err)
	}
	return nil
}

// userExport writes the lines of an export.
type userExport struct {
	tx      pgx.Tx
	project int16
	each    func(userexport.Line) error
	numbers []int64    // of all ids
	ids     []erasedID // whose erasures are looked for
}

// person writes all that is of a person.
func (e *userExport) person(ctx context.Context, n int64) error {
	for _, write := range []func(context.Context) error{
		func(ctx context.Context) error { return e.users(ctx, n) },
		e.events,
		func(ctx context.Context) error {
			return e.orders(ctx, "ingest.orders", rawOrderColumns, linesOfOrders, func(t texts, o rawOrder, lines []rawLine) userexport.Line {
				return userexport.Line{Order: new(t.order(o, lines))}
			})
		},
		func(ctx context.Context) error {
			return e.orders(ctx, "ingest.refunds", rawRefundColumns, linesOfRefunds, func(t texts, o rawOrder, lines []rawLine) userexport.Line {
				return userexport.Line{Refund: new(t.refund(o, lines))}
			})
		},
		e.days,
		e.money,
	} {
		if err := write(ctx); err != nil {
			return err
		}
	}
	return nil
}

// users writes the ids of a person: the user id first.
func (e *userExport) users(ctx context.Context, person int64) error {
	q := query{text: "SELECT n, anonymous, id, first_seen, joined_at FROM ingest.users WHERE project = "}
	q.text += q.arg(e.project) + " AND (n = " + q.arg(person) + " OR person = " + q.arg(person) + ") ORDER BY anonymous, n"
	type member struct {
		userexport.User

		n int64
	}
	scan := func(row pgx.CollectableRow) (m member, err error) {
		err = row.Scan(&m.n, &m.Anonymous, &m.ID, &m.FirstSeen, &m.IdentifiedAt)
		return m, err
	}
	return inParts(ctx, e.tx, q, exportRows, scan, func(part []member) error {
		for i := range part {
			m := &part[i]
			e.numbers = append(e.numbers, m.n)
			if len(e.ids) < maxErasedIDs {
				e.ids = append(e.ids, erasedID{m.ID, &m.Anonymous})
			}
			if err := e.each(userexport.Line{User: &m.User}); err != nil {
				return err
			}
		}
		return nil
	})
}

// ofPerson is a FROM clause: the rows of a table under an alias, one id of the person after another and each by time. A row is read
// when it is written, by the index of users: ordering all ids together would read and sort everything before the first line.
// Those indexes do not begin with the project, and an index that does would read the rows of others.
func (e *userExport) ofPerson(q *query, table, alias string) string {
	return " FROM unnest(" + q.arg(arrayOf(e.numbers)) + "::bigint[]) person (n) CROSS JOIN LATERAL (SELECT * FROM " + table +
		" WHERE project + 0 = " + q.arg(e.project) + " AND user_n = person.n ORDER BY ts, id) " + alias
}

func (e *userExport) events(ctx context.Context) error {
	q := query{text: "SELECT " + rawEventColumns}
	q.text += e.ofPerson(&q, "ingest.events", "e")
	return inParts(ctx, e.tx, q, exportRows, scanRawEvent, func(events []rawEvent) error {
		w := newWanted()
		for _, stored := range events {
			w.event(stored)
		}
		t, err := readTexts(ctx, e.tx, e.project, w)
		if err != nil {
			return err
		}
		for _, stored := range events {
			if err := e.each(userexport.Line{Event: new(t.event(stored))}); err != nil {
				return err
			}
		}
		return nil
	})
}

// orders writes orders or refunds with their lines.
func (e *userExport) orders(ctx context.Context, table, columns, lineQuery string, line func(texts, rawOrder, []rawLine) userexport.Line) error {
	q := query{text: "SELECT " + columns}
	q.text += e.ofPerson(&q, table, "o")
	return inParts(ctx, e.tx, q, exportOrders, scanRawOrder, func(orders []rawOrder) error {
		lines, err := readLines(ctx, e.tx, lineQuery, e.project, orders)
		if err != nil {
			return fmt.Errorf("read the lines of %s: %w", table, err)
		}
		t, err := readTexts(ctx, e.tx, e.project, ordersWant(orders, lines))
		if err != nil {
			return err
		}
		for _, o := range orders {
			if err := e.each(line(t, o, lines[o.id])); err != nil {
				return err
			}
		}
		return nil
	})
}

func (e *userExport) days(ctx context.Context) error {
	q := query{text: "SELECT d.user_n, d.day, d.events, d.views, d.clicks, d.add_to_carts, d.purchases, d.units FROM stats.user_daily d WHERE d.project = "}
	q.text += q.arg(e.project) + " AND d.user_n = ANY (" + q.arg(arrayOf(e.numbers)) + "::bigint[]) ORDER BY d.user_n, d.day"
	scan := func(row pgx.CollectableRow) (d counted[userexport.Day], err error) {
		of := &d.of
		err = row.Scan(&d.user, &of.Day, &of.Events, &of.Views, &of.Clicks, &of.AddToCarts, &of.Purchases, &of.Units)
		return d, err
	}
	return writeCounted(ctx, e, q, scan, func(d *userexport.Day, of history.User) userexport.Line {
		d.User = of
		return userexport.Line{Day: d}
	})
}

func (e *userExport) money(ctx context.Context) error {
	q := query{text: "SELECT d.user_n, d.day, d.currency, d.gross_minor, d.refunded_minor, d.orders, d.units, d.refunded_units" +
		" FROM stats.user_daily_money d WHERE d.project = "}
	q.text += q.arg(e.project) + " AND d.user_n = ANY (" + q.arg(arrayOf(e.numbers)) + "::bigint[]) ORDER BY d.user_n, d.day, d.currency"
	scan := func(row pgx.CollectableRow) (d counted[userexport.Money], err error) {
		of := &d.of
		err = row.Scan(&d.user, &of.Day, &of.Currency, &of.GrossMinor, &of.RefundedMinor, &of.Orders, &of.Units, &of.RefundedUnits)
		return d, err
	}
	return writeCounted(ctx, e, q, scan, func(m *userexport.Money, of history.User) userexport.Line {
		m.User = of
		return userexport.Line{Money: m}
	})
}

// counted is a row of a rollup.
type counted[T any] struct {
	user int64
	of   T
}

// writeCounted writes the rows of a rollup.
func writeCounted[T any](ctx context.Context, e *userExport, q query, scan pgx.RowToFunc[counted[T]], line func(*T, history.User) userexport.Line) error {
	return inParts(ctx, e.tx, q, exportRows, scan, func(part []counted[T]) error {
		w := newWanted()
		for _, row := range part {
			w.users[row.user] = true
		}
		t, err := readTexts(ctx, e.tx, e.project, w)
		if err != nil {
			return err
		}
		for i := range part {
			if err := e.each(line(&part[i].of, t.users[part[i].user])); err != nil {
				return err
			}
		}
		return nil
	})
}

// rest writes the receipts of erasures, and what the export leaves out.
func (e *userExport) rest(ctx context.Context) error {
	erasures, err := erasuresOf(ctx, e.tx, e.project, e.ids)
	if err != nil {
		return err
	}
	for i := range erasures {
		if err := e.each(userexport.Line{Erasure: &erasures[i]}); err != nil {
			return err
		}
	}
	var dropped int64
	if err := e.tx.QueryRow(ctx, `SELECT count(*) FROM ingest.dropped_days WHERE project = $1`, e.project).Scan(&dropped); err != nil {
		return fmt.Errorf("look for days that have expired: %w", err)
	}
	omissions := userexport.Omissions(dropped)
	for i := range omissions {
		if err := e.each(userexport.Line{LeftOut: &omissions[i]}); err != nil {
			return err
		}
	}
	return nil
}
