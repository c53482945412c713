package localpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
)

// minimum is the oldest PostgreSQL that the schema works on.
const minimum = 15

// ErrMissing says that PostgreSQL is not installed. Its text says what to do.
var ErrMissing = errors.New("PostgreSQL 15 or newer is not installed here: install it (Debian, Ubuntu: apt-get install postgresql-15), " +
	"set PG_BIN to the directory of its programs, or set DATABASE_URL to a database of your own")

// programs is one installed PostgreSQL.
type programs struct {
	dir   string // holds postgres and initdb
	major string
}

// findPrograms looks in PG_BIN, in PATH, and where Debian and Red Hat install, newest first.
func findPrograms(ctx context.Context) (programs, error) {
	if dir := os.Getenv("PG_BIN"); dir != "" {
		found, err := inspect(ctx, dir)
		if err != nil {
			return programs{}, fmt.Errorf("PG_BIN=%s: %w", dir, err)
		}
		return found, nil
	}
	var best programs
	bestMajor := 0
	for _, dir := range candidates() {
		found, err := inspect(ctx, dir)
		if err != nil {
			continue
		}
		if major, _ := strconv.Atoi(found.major); major > bestMajor {
			best, bestMajor = found, major
		}
	}
	if bestMajor < minimum {
		return programs{}, ErrMissing
	}
	return best, nil
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

var versionPattern = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// inspect asks the postgres in dir for its version.
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
	return programs{dir: dir, major: string(match[1])}, nil
}
