package localpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// minimum is the oldest major version of PostgreSQL that the schema supports.
const minimum = 15

// ErrMissing means that PostgreSQL is not installed. Its text says what to do.
var ErrMissing = errors.New("PostgreSQL 15 or newer is not installed here: install it (Debian, Ubuntu: apt-get install postgresql-15), " +
	"set PG_BIN to the directory of its programs, or set DATABASE_URL to your own database")

// programs is one installed PostgreSQL.
type programs struct {
	dir     string // holds postgres and initdb
	version string // 15.20
	major   string // as in PG_VERSION
}

func (p programs) path(name string) string { return filepath.Join(p.dir, name) }

// findPrograms returns the installed versions, newest first. It looks in PG_BIN if set, otherwise in PATH and in the
// directories that Debian and Red Hat use.
func findPrograms(ctx context.Context) ([]programs, error) {
	if dir := os.Getenv("PG_BIN"); dir != "" {
		found, err := inspect(ctx, dir)
		if err != nil {
			return nil, fmt.Errorf("PG_BIN=%s: %w", dir, err)
		}
		return []programs{found}, nil
	}
	var installed []programs
	for _, dir := range candidates() {
		if found, err := inspect(ctx, dir); err == nil {
			installed = append(installed, found)
		}
	}
	if len(installed) == 0 {
		return nil, ErrMissing
	}
	slices.SortStableFunc(installed, func(a, b programs) int { return number(b.major) - number(a.major) })
	return installed, nil
}

// choose returns the programs of the version that wrote the data, or else the newest.
func choose(installed []programs, major string) programs {
	if i := slices.IndexFunc(installed, func(p programs) bool { return p.major == major }); i >= 0 {
		return installed[i]
	}
	return installed[0]
}

func number(major string) int {
	n, _ := strconv.Atoi(major) // inspect accepts only digits
	return n
}

func candidates() []string {
	var dirs []string
	if path, err := exec.LookPath("postgres"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(real))
		}
	}
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin"} {
		found, _ := filepath.Glob(pattern) // the patterns are well-formed
		dirs = append(dirs, found...)
	}
	return dirs
}

var versionPattern = regexp.MustCompile(`\(PostgreSQL\) ((\d+)\S*)`)

// inspect asks the postgres in dir for its version, and refuses one that is too old.
func inspect(ctx context.Context, dir string) (programs, error) {
	if _, err := os.Stat(filepath.Join(dir, "initdb")); err != nil {
		return programs{}, fmt.Errorf("no initdb: %w", err)
	}
	output, err := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version").Output()
	if err != nil {
		return programs{}, fmt.Errorf("ask postgres for its version: %w", err)
	}
	match := versionPattern.FindSubmatch(output)
	if match == nil {
		return programs{}, fmt.Errorf("postgres calls itself %q", output)
	}
	found := programs{dir: dir, version: string(match[1]), major: string(match[2])}
	if number(found.major) < minimum {
		return programs{}, fmt.Errorf("PostgreSQL %s is too old, %d is needed", found.version, minimum)
	}
	return found, nil
}
