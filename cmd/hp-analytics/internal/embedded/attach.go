package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/hp-analytics/hp-analytics/internal/localruntime/localproc"
)

// ErrNoData says that a directory holds no private Postgres.
var ErrNoData = errors.New("it holds no data of HP Analytics")

// Attached are private servers that a command uses.
type Attached struct {
	DatabaseURL string
	RedisURL    string // empty if Redis was not asked for, or if the platform that runs uses another one
}

// Attach returns the URLs of the private Postgres in dir and, with redis, of the private Redis. If a platform runs there, these
// are that platform's servers; otherwise it starts them until release is called.
func Attach(ctx context.Context, dir string, redis bool, logger *slog.Logger) (a Attached, release func() error, err error) {
	if _, err := os.Stat(filepath.Join(dir, "postgres")); errors.Is(err, fs.ErrNotExist) {
		return Attached{}, nil, fmt.Errorf("%s: %w", dir, ErrNoData)
	}
	databases, err := Open(dir)
	if err == nil {
		if err := databases.Start(ctx, Options{Postgres: true, Redis: redis, Logger: logger}); err != nil {
			return Attached{}, nil, errors.Join(err, databases.Stop(ctx))
		}
		return Attached{databases.DatabaseURL(), databases.RedisURL()}, func() error { return databases.Stop(ctx) }, nil
	}
	if _, held := errors.AsType[*localproc.LockedError](err); !held {
		return Attached{}, nil, err
	}
	if a, err = running(dir, redis); err != nil {
		return Attached{}, nil, fmt.Errorf("the platform in %s is starting or stopping: %w", dir, err)
	}
	return a, func() error { return nil }, nil
}

// running returns the URLs that the platform that holds dir has written.
func running(dir string, redis bool) (a Attached, err error) {
	database, err := os.ReadFile(urlFile(dir, "database"))
	if err != nil {
		return Attached{}, err
	}
	a.DatabaseURL = strings.TrimSpace(string(database))
	if !redis {
		return a, nil
	}
	cache, err := os.ReadFile(urlFile(dir, "redis"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Attached{}, err
	}
	a.RedisURL = strings.TrimSpace(string(cache))
	return a, nil
}
