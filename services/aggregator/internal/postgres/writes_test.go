package postgres_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/locks"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/protocol"
)

// fact is a raw row as its client sends it. The client sends the same under the same identity, however often.
type fact struct {
	ts               time.Time
	id, product      uuid.UUID
	user, typ        string // a purchase has no type
	quantity, amount int64
}

// identity is the key of a raw row.
type identity struct {
	micros int64
	id     uuid.UUID
}

func (f fact) identity() identity { return identity{f.ts.UnixMicro(), f.id} }

// write is one batch on its way into the database.
type write struct {
	id    uuid.UUID
	kind  string
	facts []fact
	inTx  bool // three statements instead of one, so that others come in between
	rows  int  // that were new, as the database has answered
}

// statements are those by which ingest commits batches.
type statements struct{ events, purchases string }

// ingestStatements reads the statements from the source of ingest: its packages are closed to this service, and a copy
// would only prove something about the copy.
func ingestStatements(t *testing.T) statements {
	t.Helper()
	dir := filepath.Join("..", "..", "..", "ingest", "internal", "postgres")
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	source := source{}
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		source = append(source, file)
	}
	find := func(name, function string) string {
		value, err := source.constant(name, function)
		if err != nil {
			t.Fatalf("%s: %v", dir, err)
		}
		return value
	}
	return statements{events: find("insertChecked", ""), purchases: find("insert", "insertCheckedPurchases")}
}

// source are the files of a package.
type source []*ast.File

// constant returns the value of a string constant of the package, or of one of its functions.
func (s source) constant(name, function string) (value string, err error) {
	err = fmt.Errorf("no string constant %s in the scope of %q", name, function)
	for _, file := range s {
		for _, declaration := range file.Decls {
			if f, ok := declaration.(*ast.FuncDecl); ok != (function != "") || ok && f.Name.Name != function {
				continue
			}
			ast.Inspect(declaration, func(node ast.Node) bool {
				if spec, ok := node.(*ast.ValueSpec); ok && spec.Names[0].Name == name && len(spec.Values) == 1 {
					value, err = s.evaluate(spec.Values[0])
				}
				return true
			})
		}
	}
	return value, err
}

// evaluate returns the string of a constant expression.
func (s source) evaluate(expression ast.Expr) (string, error) {
	switch e := expression.(type) {
	case *ast.BasicLit:
		return strconv.Unquote(e.Value)
	case *ast.BinaryExpr:
		left, leftErr := s.evaluate(e.X)
		right, rightErr := s.evaluate(e.Y)
		return left + right, errors.Join(leftErr, rightErr)
	case *ast.Ident:
		return s.constant(e.Name, "")
	case *ast.SelectorExpr:
		if e.Sel.Name == "IdempotencyKey" {
			return locks.IdempotencyKey, nil
		}
	}
	return "", fmt.Errorf("an expression of type %T is not supported", expression)
}

// run commits the batch, as ingest does.
func (w *write) run(ctx context.Context, pool *pgxpool.Pool, s statements) error {
	if !w.inTx {
		return w.insert(ctx, pool, s)
	}
	return postgres.InTx(ctx, pool, pgx.TxOptions{}, func(tx pgx.Tx) error { return w.insert(ctx, tx, s) })
}

// insert runs the one statement. Rows are in key order, each identity once or twice.
func (w *write) insert(ctx context.Context, db interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}, s statements) error {
	facts := slices.SortedFunc(slices.Values(w.facts), func(a, b fact) int {
		return cmp.Or(a.ts.Compare(b.ts), slices.Compare(a.id[:], b.id[:]))
	})
	var ids, products, changed []uuid.UUID // nothing changes here
	var times []time.Time
	var users, types []string
	var quantities, amounts []int64
	for _, f := range facts {
		ids, products, times = append(ids, f.id), append(products, f.product), append(times, f.ts)
		users, types = append(users, f.user), append(types, f.typ)
		quantities, amounts = append(quantities, f.quantity), append(amounts, f.amount)
	}
	n := len(facts)
	owners := slices.Repeat([]int64{1}, n)
	skus := make([]string, n) // products are named by their ids
	var storedOwners, ownersChanged []int64
	if w.kind == protocol.KindEvents {
		var storedIDs []uuid.UUID
		var storedTimes []time.Time
		return db.QueryRow(ctx, s.events, w.id, w.kind, ids, times, products, users, types, make([][]byte, n), n, owners,
			products, skus).
			Scan(&w.rows, &storedIDs, &storedTimes, &storedOwners, &changed, &skus)
	}
	currencies := slices.Repeat([]string{"EUR"}, n)
	var at time.Time
	var stored, inFlight []uuid.UUID
	var ownersInFlight []int64
	err := db.QueryRow(ctx, s.purchases, w.id, w.kind, ids, times, products, users, quantities, amounts, currencies,
		make([]*string, n), make([]*string, n), make([][]byte, n), owners, skus, make([]*int64, n)).
		Scan(&at, &storedOwners, &stored, &ownersInFlight, &inFlight, &ownersChanged, &changed)
	w.rows = len(stored)
	return err
}

// client makes batches: few products, users and days, so that folders meet in the same rows of the rollups, and some of
// what was sent before, as clients do that got no answer.
type client struct {
	random *rand.Rand
	made   uint64
	sent   map[string][]fact // by kind
}

// products are those of all batches.
var products = [...]uuid.UUID{{15: 1}, {15: 2}, {15: 3}}

// firstDay is the first of the three days that events are of.
var firstDay = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// newID returns an id that is greater than those before, as a UUIDv7 is.
func (c *client) newID() (id uuid.UUID) {
	c.made++
	for i := range 6 {
		id[5-i] = byte(c.made >> (8 * i))
	}
	id[6], id[8] = 0x70, 0x80
	return id
}

// batch returns the next batch to be sent.
func (c *client) batch() *write {
	w := &write{id: c.newID(), kind: protocol.KindEvents, inTx: c.random.IntN(2) == 0}
	if c.random.IntN(4) == 0 {
		w.kind = protocol.KindPurchases
	}
	taken := map[identity]bool{}
	for range 1 + c.random.IntN(12) {
		f := c.fact(w.kind)
		if sent := c.sent[w.kind]; len(sent) > 0 && c.random.IntN(4) == 0 {
			f = sent[len(sent)-1-c.random.IntN(min(len(sent), 30))]
		}
		if w.kind == protocol.KindPurchases && taken[f.identity()] {
			continue // ingest sends a purchase once in a batch; of events the database takes one
		}
		taken[f.identity()] = true
		w.facts = append(w.facts, f)
	}
	c.sent[w.kind] = append(c.sent[w.kind], w.facts...)
	return w
}

// fact returns something that was never sent before.
func (c *client) fact(kind string) fact {
	types := []string{"view", "click", "add_to_cart", "search", "share:mail"}
	f := fact{
		ts:      firstDay.Add(time.Duration(c.random.Int64N(int64(72 * time.Hour)))).Truncate(time.Microsecond),
		id:      c.newID(),
		product: products[c.random.IntN(len(products))],
		user:    "user-" + strconv.Itoa(c.random.IntN(6)),
	}
	if kind == protocol.KindPurchases {
		f.quantity, f.amount = 1+c.random.Int64N(3), c.random.Int64N(10_000)
	} else {
		f.typ = types[c.random.IntN(len(types))]
	}
	return f
}
