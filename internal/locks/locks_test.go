package locks_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/locks"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/migrations"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
)

func TestMain(m *testing.M) { platformtest.Main(m, dbtest.Stop) }

func TestKeysDiffer(t *testing.T) {
	t.Parallel()
	owner := map[postgres.AdvisoryLock]string{}
	for name, lock := range locks.All() {
		if other, taken := owner[lock]; taken {
			t.Errorf("%s and %s have the same key %s", name, other, lock)
		}
		owner[lock] = name
	}
	class := locks.Partitions.Class()
	for n := range int16(locks.MaxLanes) {
		lane := locks.Lane(n)
		if other, taken := owner[lane]; taken {
			t.Fatalf("lane %d and %s have the same key %s", n, other, lane)
		}
		if lane.Class() != class {
			t.Fatalf("lane %d has the key %s, outside the class %d", n, lane, class)
		}
		owner[lane] = "a lane"
	}
	for name, lock := range locks.All() {
		if lock.Class() != class {
			t.Errorf("%s has the key %s, outside the class %d", name, lock, class)
		}
	}
}

// All must list every lock that the package defines.
func TestAllIsComplete(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "locks.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	listed := locks.All()
	defined := 0
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || spec.Type == nil {
			return true
		}
		for _, name := range spec.Names {
			if !name.IsExported() {
				continue
			}
			defined++
			if _, ok := listed[name.Name]; !ok {
				t.Errorf("All does not list %s", name.Name)
			}
		}
		return true
	})
	if defined != len(listed) {
		t.Errorf("All lists %d locks, the package defines %d", len(listed), defined)
	}
}

// Migrations cannot import this package: their SQL contains the key of Partitions, and may contain no other.
func TestMigrationsTakeOnlyPartitions(t *testing.T) {
	t.Parallel()
	names, err := fs.Glob(migrations.FS, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	call := regexp.MustCompile(`pg_\w*advisory\w*\s*(\([^)]*\))`)
	calls := 0
	for _, name := range names {
		sql, err := fs.ReadFile(migrations.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range call.FindAllStringSubmatch(string(sql), -1) {
			calls++
			if match[1] != locks.Partitions.String() {
				t.Errorf("%s takes the advisory lock %s, want %s", name, match[1], locks.Partitions)
			}
		}
	}
	if calls == 0 {
		t.Error("no migration takes a lock")
	}
}

// Outside the registry no code may spell a key, neither in a call with literals nor as a hash.
func TestNoKeyOutsideTheRegistry(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	literal := regexp.MustCompile(`advisory\w*\(\s*[0-9]|hashtext`)
	files := 0
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, _ := filepath.Rel(root, path)
		if entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") || relative == filepath.Join("internal", "locks")) {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".go" {
			return nil
		}
		files++
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if found := literal.Find(source); found != nil {
			t.Errorf("%s: %q: use a key of package locks", relative, found)
		}
		return nil
	})
	if err != nil || files < 100 {
		t.Errorf("searched %d files: %v", files, err)
	}
}

// Two sessions hold the same 64 bits as a pair and as a bigint at the same time, so hashed keys never collide with fixed
// ones. A lock that is held is refused to others.
func TestKeySpacesAreSeparate(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	connect := func() *pgx.Conn {
		conn, err := pgx.Connect(t.Context(), database.URL())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
		return conn
	}
	holder, other := connect(), connect()
	fixed := slices.Collect(maps.Values(locks.All()))
	for _, lock := range append(fixed, locks.Lane(0), locks.Lane(locks.MaxLanes-1)) {
		if held, err := lock.TryHold(t.Context(), holder); err != nil || !held {
			t.Errorf("%s: held: %t, %v", lock, held, err)
		}
		if held, err := lock.TryHold(t.Context(), other); err != nil || held {
			t.Errorf("%s is held twice: %t, %v", lock, held, err)
		}
		var held bool
		if err := other.QueryRow(t.Context(), `SELECT pg_try_advisory_lock($1::bigint)`, int64(lock)).Scan(&held); err != nil || !held {
			t.Errorf("%s and the bigint %d exclude each other: %t, %v", lock, int64(lock), held, err)
		}
	}
}
