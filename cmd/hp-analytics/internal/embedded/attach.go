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

// Attach returns the database URL of the private Postgres in dir. If a platform runs there, it uses that platform's server;
// otherwise it starts the server until release is called.
func Attach(ctx context.Context, dir string, logger *slog.Logger) (url string, release func() error, err error) {
	if _, err := os.Stat(filepath.Join(dir, "postgres")); errors.Is(err, fs.ErrNotExist) {
		return "", nil, fmt.Errorf("%s: %w", dir, ErrNoData)
	}
	databases, err := Open(dir)
	if err == nil {
		if err := databases.Start(ctx, Options{Postgres: true, Logger: logger}); err != nil {
			return "", nil, errors.Join(err, databases.Stop(ctx))
		}
		return databases.DatabaseURL(), func() error { return databases.Stop(ctx) }, nil
	}
	if _, held := errors.AsType[*localproc.LockedError](err); !held {
		return "", nil, err
	}
	content, readErr := os.ReadFile(urlFile(dir))
	if readErr != nil {
		return "", nil, fmt.Errorf("the platform in %s is starting or stopping: %w", dir, errors.Join(err, readErr))
	}
	return strings.TrimSpace(string(content)), func() error { return nil }, nil
}
