package importer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer/group"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer/mapping"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer/source"
)

// shop keeps what it is sent by id, as the platform does: the same again is known, something else with the id is a conflict.
type shop struct {
	mu     sync.Mutex
	stored map[string]string
	sent   int                                // items
	before func(request int) error            // called before each request
	refuse func(i group.Item) (reason string) // may be nil
	calls  int
}

func (s *shop) Send(ctx context.Context, kind mapping.Kind, items []group.Item) ([]importer.Outcome, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if s.before != nil {
		if err := s.before(s.calls); err != nil {
			return nil, err
		}
	}
	outcomes := make([]importer.Outcome, len(items))
	for i, item := range items {
		s.sent++
		outcomes[i] = s.store(kind, item)
	}
	return outcomes, ctx.Err()
}

func (s *shop) Begin(context.Context, string, time.Time, time.Time) error { return nil }

func (s *shop) Finish(context.Context) error { return nil }

func (s *shop) store(kind mapping.Kind, i group.Item) importer.Outcome {
	words := []string{i.TS().Format(time.RFC3339)}
	for _, f := range i.Facts {
		words = append(words, fmt.Sprintf("%s%s %dx%s %s", f.UserID, f.AnonymousID, f.Units, f.SKU, f.Type))
	}
	content := strings.Join(words, " ")
	key := string(kind) + " " + i.ID
	if s.refuse != nil {
		if reason := s.refuse(i); reason != "" {
			return importer.Outcome{Status: importer.Refused, Reason: reason}
		}
	}
	switch known, ok := s.stored[key]; {
	case !ok:
		s.stored[key] = content
		return importer.Outcome{Status: importer.Imported}
	case known == content:
		return importer.Outcome{Status: importer.Known}
	default:
		return importer.Outcome{Status: importer.Refused, Reason: "conflict: another one has this id"}
	}
}

const events = `
rows: events
fields: {type: type, user_id: user, ts: ts, sku: sku}
`

const orders = `
rows: orders
fields: {order: order, user_id: user, ts: ts, sku: sku, quantity: n, amount: amount}
constants: {currency: EUR}
returns: {prefix: C}
`

// options returns those of an import of files, which asks for a checkpoint after each request.
func options(t testing.TB, config string, target importer.Target, files ...string) importer.Options {
	t.Helper()
	m, err := mapping.Parse([]byte(config))
	if err != nil {
		t.Fatal(err)
	}
	return importer.Options{
		Mapping: m, MappingText: []byte(config), Files: files, Target: target, Place: "here", InFlight: 4, Window: 1000, Out: &bytes.Buffer{},
		Grace: time.Second,
	}
}

func write(t testing.TB, name, text string) string {
	t.Helper()
	if !filepath.IsAbs(name) {
		name = filepath.Join(t.TempDir(), name)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// visits returns the rows of n events, many of which are equal.
func visits(n int) (rows []string) {
	for i := range n {
		rows = append(rows, fmt.Sprintf("view,u%d,2025-01-%02dT10:00:00Z,s%d", i%7, 1+i%28, i%3))
	}
	return rows
}

func run(t testing.TB, o importer.Options) importer.Summary {
	t.Helper()
	s, err := importer.Run(t.Context(), o)
	if err != nil && !errors.Is(err, importer.ErrRefusedRows) {
		t.Fatal(err)
	}
	return s
}

func counts(kind mapping.Kind, imported, known, refused int64) map[mapping.Kind]importer.Counts {
	return map[mapping.Kind]importer.Counts{kind: {Imported: imported, Known: known, Refused: refused}}
}

func TestASecondImportChangesNothing(t *testing.T) {
	t.Parallel()
	const n = 5000
	rows := visits(n)
	s := &shop{stored: map[string]string{}}
	file := write(t, "visits.csv", "type,user,ts,sku\n"+strings.Join(rows, "\n")+"\n")
	if diff := cmp.Diff(counts(mapping.Events, n, 0, 0), run(t, options(t, events, s, file)).Items); diff != "" {
		t.Fatalf("first (-want +got):\n%s", diff)
	}
	stored := maps.Clone(s.stored)
	if len(stored) != n {
		t.Fatalf("%d events are stored", len(stored))
	}
	t.Run("its checkpoint says so", func(t *testing.T) {
		s.sent = 0
		write(t, strings.TrimSuffix(file, ".csv")+".rejects.csv", "somebody mends it")
		if got := run(t, options(t, events, s, file)); got.Rows != n || got.Resumed != n || s.sent != 0 {
			t.Errorf("%+v, %d sent", got, s.sent)
		}
	})
	t.Run("mended rejects are kept", func(t *testing.T) {
		o := options(t, events, s, file)
		o.Again = true
		run(t, o)
		if text, err := os.ReadFile(strings.TrimSuffix(file, ".csv") + ".rejects.csv.old"); err != nil || string(text) != "somebody mends it" {
			t.Errorf("%q, %v", text, err)
		}
	})
	t.Run("without checkpoint", func(t *testing.T) {
		o := options(t, events, s, file)
		o.Again = true
		if diff := cmp.Diff(counts(mapping.Events, 0, n, 0), run(t, o).Items); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("in another order", func(t *testing.T) {
		random := rand.New(rand.NewPCG(1, 2))
		random.Shuffle(n, func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		other := write(t, "shuffled.csv", "type,user,ts,sku\r\n"+strings.Join(rows, "\r\n"))
		if diff := cmp.Diff(counts(mapping.Events, 0, n, 0), run(t, options(t, events, s, other)).Items); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("as standard input", func(t *testing.T) {
		o := options(t, events, s, source.Stdin)
		o.Stdin, o.Rejects = strings.NewReader("type,user,ts,sku\n"+strings.Join(rows, "\n")), filepath.Join(t.TempDir(), "rejects")
		if diff := cmp.Diff(counts(mapping.Events, 0, n, 0), run(t, o).Items); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	if diff := cmp.Diff(stored, s.stored); diff != "" {
		t.Errorf("what is stored has changed (-before +after):\n%s", diff)
	}
}

// sales returns the rows of n orders, each with three lines that lie apart, and a return for every tenth.
func sales(n int) (rows []string) {
	for i := range n {
		for line := range 3 {
			rows = append(rows, fmt.Sprintf("%d,u%d,2025-01-01T10:00:00Z,s%d,%d,%d.50", i+100*line, (i+100*line)%7, line, 1+line, line))
		}
		if i%10 == 0 {
			rows = append(rows, fmt.Sprintf("C%d,u%d,2025-01-02T10:00:00Z,s0,-1,-0.50", i, i%7))
		}
	}
	return rows
}

// TestResumeAfterAKill takes the files as they are in the middle of an import, and writes behind its back more rejects than
// the checkpoint knows, which is what a kill between two writes leaves. Each row must be stored once or be in the rejects once.
func TestResumeAfterAKill(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		config, header string
		rows           []string
	}{
		"events": {events, "type,user,ts,sku\n", visits(9000)},
		"orders": {orders, "order,user,ts,sku,n,amount\n", sales(3000)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := c.header + strings.Join(c.rows, "\n")
			refuse := func(i group.Item) string {
				if i.Facts[0].UserID == "u3" {
					return "not_u3: for this test"
				}
				return ""
			}
			want := &shop{stored: map[string]string{}, refuse: refuse}
			wanted := run(t, options(t, c.config, want, write(t, "whole.csv", text)))

			file := write(t, "killed.csv", text)
			rejects := strings.TrimSuffix(file, ".csv") + ".rejects.csv"
			broken := errors.New("killed")
			s := &shop{stored: map[string]string{}, refuse: refuse}
			var checkpoint []byte
			s.before = func(request int) error {
				if request == 3 {
					var err error
					if checkpoint, err = os.ReadFile(file + ".checkpoint"); err != nil {
						t.Error(err)
					}
					return broken
				}
				return nil
			}
			if _, err := importer.Run(t.Context(), options(t, c.config, s, file)); !errors.Is(err, broken) {
				t.Fatalf("the import that was to be killed: %v", err)
			}
			write(t, file+".checkpoint", string(checkpoint))
			s.before, s.sent = nil, 0
			got := run(t, options(t, c.config, s, file))
			if got.Resumed == 0 || s.sent >= want.sent {
				t.Errorf("nothing was resumed: %+v, %d of %d sent", got, s.sent, want.sent)
			}
			if got.Rows != wanted.Rows || got.Refused != wanted.Refused {
				t.Errorf("%d rows, %d refused; want %d and %d", got.Rows, got.Refused, wanted.Rows, wanted.Refused)
			}
			if diff := cmp.Diff(want.stored, s.stored); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if n := marks(t, rejects); int64(n) != wanted.Refused {
				t.Errorf("%d rows in the rejects, want %d", n, wanted.Refused)
			}
		})
	}
}

// marks returns how many rows a file of rejects has.
func marks(t *testing.T, file string) int {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(text), "#!refused ")
}

func TestRefusedRowsAreMendedAndImported(t *testing.T) {
	t.Parallel()
	s := &shop{stored: map[string]string{}, refuse: func(i group.Item) string {
		if i.Facts[0].SKU == "s?" {
			return "unknown_product: There is no product with the SKU s?."
		}
		return ""
	}}
	// Two equal events; the second one of another pair is mended to be equal to them. Each is an event of its own.
	file := write(t, "caf\u00e9.csv", "type,user,ts,sku\nview,u,2025-01-01T10:00:00Z,s\nview,u,2025-01-01T10:00:00Z,s\n"+
		"view,caf\xe9,2025-01-01T10:00:00Z,s?\nview,u,2025-01-01T10:00:00Z,s?\nview,u,yesterday,s\nview,u\n")
	config := events + "file: {charset: windows-1252}\n"
	if diff := cmp.Diff(counts(mapping.Events, 2, 0, 3), run(t, options(t, config, s, file)).Items, onlyEvents); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var out strings.Builder
	again := options(t, config, s, file)
	again.Out = &out
	run(t, again)
	for _, want := range []string{"6 rows were sent by earlier runs", "If the products were missing (unknown_product), import the products"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the summary has no %q:\n%s", want, &out)
		}
	}
	rejects := strings.TrimSuffix(file, ".csv") + ".rejects.csv"
	text, err := os.ReadFile(rejects)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"\ufefftype,user,ts,sku\n", `"line":4,`, "\nview,café,2025-01-01T10:00:00Z,s?\n", "There is no product with the SKU s?.",
		`"line":6,`, `"reason":"ts \"yesterday\" is no time`, `"line":7,`, `"reason":"the row has 2 values`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the rejects have no %q:\n%s", want, text)
		}
	}
	mended := strings.NewReplacer("s?\n", "s\n", "yesterday", "2025-01-01T10:00:00Z", "view,u\n", "view,u,2025-01-01T10:00:00Z,s\n").Replace(string(text))
	write(t, rejects, mended)
	for range 2 {
		o := options(t, config, s, rejects)
		o.Again = true
		run(t, o)
		if len(s.stored) != 6 {
			t.Errorf("%d events are stored, want one for each of the 6 rows", len(s.stored))
		}
	}
}

// onlyEvents ignores rows that could not be read, which are of no kind.
var onlyEvents = cmp.FilterPath(func(p cmp.Path) bool {
	index, ok := p.Last().(cmp.MapIndex)
	return ok && index.Key().String() == ""
}, cmp.Ignore())

// TestRefusedRowsAreInTheOrderOfTheFile refuses rows in many requests that end in any order, and rows that cannot be read.
func TestRefusedRowsAreInTheOrderOfTheFile(t *testing.T) {
	t.Parallel()
	var rows []string
	for i := range 6000 {
		user := "u"
		if i%500 == 7 {
			user = "bad"
		}
		rows = append(rows, fmt.Sprintf("view,%s,2025-01-01T10:00:00Z,s%d", user, i))
		if i%1000 == 999 {
			rows = append(rows, "unreadable")
		}
	}
	text := "type,user,ts,sku\n" + strings.Join(rows, "\n") + "\n\"view\",\"bad\",2025-01-01T10:00:00Z,\"two\nlines\"\n"
	file := write(t, "visits.csv", text)
	var first sync.WaitGroup
	first.Add(1)
	s := &shop{stored: map[string]string{}}
	s.refuse = func(i group.Item) string {
		if i.Facts[0].UserID == "bad" {
			return "bad: for this test"
		}
		return ""
	}
	late := &lateFirst{shop: s, first: &first}
	o := options(t, events, late, file)
	run(t, o)
	var lines []int64
	content, err := os.ReadFile(strings.TrimSuffix(file, ".csv") + ".rejects.csv")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(content)) {
		if mark, ok := source.ParseMark([]byte(line)); ok {
			lines = append(lines, mark.Line)
		}
	}
	if len(lines) != 12+6+1 || !slices.IsSorted(lines) {
		t.Errorf("the refused rows are of lines %v", lines)
	}
	if !strings.HasPrefix(string(content), "\ufefftype,user,ts,sku\n#!refused ") || !strings.HasSuffix(string(content), "\"two\nlines\"\n") {
		t.Errorf("the refused rows are\n%s", content)
	}
}

// lateFirst is a shop that answers its first request after the second one.
type lateFirst struct {
	*shop

	first *sync.WaitGroup
	calls atomic.Int64
}

// Send implements importer.Target.
func (l *lateFirst) Send(ctx context.Context, kind mapping.Kind, items []group.Item) ([]importer.Outcome, error) {
	switch l.calls.Add(1) {
	case 1:
		l.first.Wait()
	case 2:
		defer l.first.Done()
	}
	return l.shop.Send(ctx, kind, items)
}

// TestErrorsNameAFileOnce gives a directory and a file that is not there. Nothing is counted.
func TestErrorsNameAFileOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	none := filepath.Join(dir, "none.csv")
	for file, want := range map[string]string{dir: dir + " is a directory: name the files in it", none: none + ": no such file or directory"} {
		var out bytes.Buffer
		o := options(t, events, &shop{stored: map[string]string{}}, file)
		o.Out = &out
		if _, err := importer.Run(t.Context(), o); err == nil || err.Error() != want || out.Len() > 0 {
			t.Errorf("%v, want %s; the output is %q", err, want, &out)
		}
	}
}

func TestProductsOfManyRows(t *testing.T) {
	t.Parallel()
	const config = "rows: products\nfields: {sku: sku, name: name}\n"
	file := write(t, "p.csv", "sku,name\na,A\nb,B\na,A\na,other\n")
	s := &shop{stored: map[string]string{}}
	if diff := cmp.Diff(counts(mapping.Products, 2, 1, 1), run(t, options(t, config, s, file)).Items); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(counts(mapping.Products, 0, 4, 0), run(t, options(t, config+"repeated_sku: first\n", s, file)).Items); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// An interrupted import waits for the requests in flight, and goes on where it was.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	file := write(t, "visits.csv", "type,user,ts,sku\n"+strings.Join(visits(20_000), "\n"))
	ctx, interrupt := context.WithCancelCause(t.Context())
	interrupted := errors.New("interrupted")
	s := &shop{stored: map[string]string{}}
	s.before = func(request int) error {
		if request == 3 {
			interrupt(interrupted)
		}
		return nil
	}
	summary, err := importer.Run(ctx, options(t, events, s, file))
	if !errors.Is(err, interrupted) {
		t.Fatal(err)
	}
	if summary.Rows != int64(len(s.stored)) || summary.Rows == 20_000 || summary.Rows == 0 {
		t.Errorf("%d rows are done, and %d stored", summary.Rows, len(s.stored))
	}
	s.before = nil
	if got := run(t, options(t, events, s, file)); got.Rows != 20_000 || got.Resumed != summary.Rows || s.sent != 20_000 {
		t.Errorf("%+v, %d sent in all", got, s.sent)
	}
}

func TestFilesThatAreNotTheMappings(t *testing.T) {
	t.Parallel()
	s := &shop{stored: map[string]string{}}
	_, err := importer.Run(t.Context(), options(t, events, s, write(t, "x.csv", "type,usr,ts\n")))
	if err == nil || !strings.Contains(err.Error(), `the file has no column ["sku" "user"]; it has ["type" "usr" "ts"]`) {
		t.Error(err)
	}
	_, err = importer.Run(t.Context(), options(t, events, s, filepath.Join(t.TempDir(), "none.csv")))
	if !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// A changed file is imported from its beginning, and what is known is recognized.
func TestAChangedFileIsReadAgain(t *testing.T) {
	t.Parallel()
	s := &shop{stored: map[string]string{}}
	file := write(t, "visits.csv", "type,user,ts,sku\n"+strings.Join(visits(100), "\n"))
	run(t, options(t, events, s, file))
	write(t, file, "type,user,ts,sku\n"+strings.Join(slices.Concat(visits(100), []string{"buy,u,2025-01-01T00:00:00Z,s"}), "\n"))
	if diff := cmp.Diff(counts(mapping.Events, 1, 100, 0), run(t, options(t, events, s, file)).Items); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAForgottenDelimiterIsHinted(t *testing.T) {
	t.Parallel()
	s := &shop{stored: map[string]string{}}
	for text, want := range map[string]bool{"type|user|ts|sku\nview|u|2025-01-01T10:00:00Z|s\n": true, "type,user\nview,u\n": false} {
		_, err := importer.Run(t.Context(), options(t, events, s, write(t, "e.csv", text)))
		if err == nil || strings.Contains(err.Error(), "--delimiter '|'") != want {
			t.Errorf("%q: %v", text, err)
		}
	}
}
