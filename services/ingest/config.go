package ingest

import (
	"errors"
	"fmt"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/service/frame"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// minInflightBytes lets one bulk request through whatever its encoding: its compressed and its decoded body.
const minInflightBytes = 16 << 20

// Config is the configuration of the ingest service.
type Config struct {
	frame.Config
	Auth authn.Config

	// RetentionDays is how old an event may be when it comes: as long as raw rows are kept, because they are what
	// recognises a retry. The aggregator, which drops raw rows, must be given the same.
	RetentionDays int `env:"RETENTION_DAYS, default=90"`
	// RateLimit is how many events and purchases one user or API key may send in RateWindow, all at once if it likes;
	// 0 means no limit.
	RateLimit int `env:"INGEST_RATE_LIMIT, default=600000"`
	// RateWindow is the time in which RateLimit is granted.
	RateWindow time.Duration `env:"INGEST_RATE_WINDOW, default=1m"`
	// MaxInflightBytes bounds the request bodies in memory, decoded; of NDJSON, which is read line by line, what its events
	// keep. What does not fit is answered with 503. The process
	// needs about three times as much: decoded events, and the statement that carries them.
	MaxInflightBytes int64 `env:"INGEST_MAX_INFLIGHT_BYTES, default=67108864"`
	// MaxWaitingRows bounds the events, and the purchases, that wait for a writer; more is answered with 503.
	MaxWaitingRows int `env:"INGEST_MAX_WAITING_ROWS, default=50000"`
	// Writers is how many transactions may store events at the same time, and as many purchases. All but the first work
	// only when hundreds of rows are waiting.
	Writers int `env:"INGEST_WRITERS, default=2"`
	// WaitTimeout is how long a request with ?wait=aggregated waits for the numbers at most, after its commit. It must be
	// shorter than HTTP_REQUEST_TIMEOUT and HTTP_SHUTDOWN_TIMEOUT, or what is stored could be answered with an error.
	WaitTimeout time.Duration `env:"INGEST_WAIT_TIMEOUT, default=5s"`
	// MaxWaits bounds the batches that requests with ?wait=aggregated wait for at a time, one for each request unless it
	// holds duplicates of several. More are answered with 202 at once.
	MaxWaits int `env:"INGEST_MAX_WAITS, default=1000"`
}

// Validate implements config.Validator.
func (c *Config) Validate() error {
	var problems []error
	if c.RetentionDays < 1 {
		problems = append(problems, fmt.Errorf("RETENTION_DAYS: must be at least 1, not %d", c.RetentionDays))
	}
	if c.RateLimit < 0 || c.RateLimit > 0 && c.RateLimit < event.MaxBatch {
		problems = append(problems, fmt.Errorf("INGEST_RATE_LIMIT: must be 0 (no limit) or at least %d (one batch), not %d", event.MaxBatch, c.RateLimit))
	}
	if c.RateWindow < time.Second {
		problems = append(problems, fmt.Errorf("INGEST_RATE_WINDOW: must be at least 1s, not %s", c.RateWindow))
	}
	if c.MaxInflightBytes < minInflightBytes {
		problems = append(problems, fmt.Errorf("INGEST_MAX_INFLIGHT_BYTES: must be at least %d (16 MiB), not %d", minInflightBytes, c.MaxInflightBytes))
	}
	if c.MaxWaitingRows < event.MaxBatch {
		problems = append(problems, fmt.Errorf("INGEST_MAX_WAITING_ROWS: must be at least %d (one batch), not %d", event.MaxBatch, c.MaxWaitingRows))
	}
	if c.Writers < 1 || 2*c.Writers >= int(c.Postgres.MaxConns) {
		problems = append(problems, fmt.Errorf("INGEST_WRITERS: must be at least 1 and less than half of DATABASE_MAX_CONNS, not %d", c.Writers))
	}
	if longest := min(c.HTTP.RequestTimeout, c.HTTP.ShutdownTimeout); c.WaitTimeout <= 0 || c.WaitTimeout >= longest {
		problems = append(problems, fmt.Errorf("INGEST_WAIT_TIMEOUT: must be positive and shorter than HTTP_REQUEST_TIMEOUT and HTTP_SHUTDOWN_TIMEOUT, not %s", c.WaitTimeout))
	}
	if c.MaxWaits < 0 {
		problems = append(problems, fmt.Errorf("INGEST_MAX_WAITS: must be 0 (nobody waits) or more, not %d", c.MaxWaits))
	}
	return errors.Join(problems...)
}
