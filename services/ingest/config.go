package ingest

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/service/frame"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/api"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// minInflightBytes is enough for one bulk request in any encoding: its compressed and its decoded body.
const minInflightBytes = 16 << 20

// minShareBytes is enough for one bulk request, unless it is compressed and not smaller for it.
const minShareBytes = 6 << 20

// Config is the configuration of the ingest service.
type Config struct {
	frame.Config
	Auth authn.Config

	// RetentionDays is that of the aggregator. Days whose raw rows it has dropped take no events, whatever this value is.
	RetentionDays int `env:"RETENTION_DAYS, default=90"`
	// MaxEventAge is how long ago an event may have happened when it arrives; a project may set less. 0 is 90 days, or
	// RETENTION_DAYS if that is less. It must not be longer than RETENTION_DAYS: the raw rows of older days are dropped, and
	// without them a retry counts twice.
	MaxEventAge time.Duration `env:"INGEST_MAX_EVENT_AGE, default=0"`
	// RateLimit is how many events and purchases one user or API key may send per RateWindow, in one burst or spread out; 0
	// means no limit. A body costs at least one for each 4 KiB, whatever it holds.
	RateLimit int `env:"INGEST_RATE_LIMIT, default=600000"`
	// UserRateLimit is the same for a caller with the role user, which anybody may be where registration is open. Larger
	// requests than it allows are always refused. 0 means no limit.
	UserRateLimit int `env:"INGEST_USER_RATE_LIMIT, default=300"`
	// VisitorRateLimit is how many events one address may send with one public key per RateWindow: what the visitors behind one
	// address do. It is how much one of them can use up of the quota of the key. 0 means no limit.
	VisitorRateLimit int `env:"INGEST_VISITOR_RATE_LIMIT, default=600"`
	// PublicKeyRateLimit is how many events may be sent with a public key in a minute, unless the key says something else.
	PublicKeyRateLimit int `env:"INGEST_PUBLIC_KEY_RATE_LIMIT, default=60000"`
	// UnidentifiedRateLimit is how much one address (IPv4) or /64 (IPv6) may send per RateWindow to paths that take the key in the body,
	// without a valid key, or to addresses of webhooks without a valid signature: each request is 1, or 1 for each 4 KiB begun. What turns out to have a valid key counts for that key alone, but
	// must fit until its body is read. Without a bound, a stranger can have bodies read and searched for keys as fast as they arrive. 0
	// means no limit.
	UnidentifiedRateLimit int `env:"INGEST_UNIDENTIFIED_RATE_LIMIT, default=6000"`
	// RateWindow is the period of the quotas, except that of public keys.
	RateWindow time.Duration `env:"INGEST_RATE_WINDOW, default=1m"`
	// MaxInflightBytes bounds the decoded request bodies in memory; NDJSON is read line by line, so only its events count.
	// Requests beyond the bound are answered with 503. The process needs about three times as much memory, because decoded
	// events and the statement that inserts them exist besides the bodies.
	MaxInflightBytes int64 `env:"INGEST_MAX_INFLIGHT_BYTES, default=67108864"`
	// MaxCallerBytes is the part of MaxInflightBytes that the requests of one account may hold together. Requests beyond it are
	// answered with 429. If it is as large as MaxInflightBytes, one account can keep all others out.
	MaxCallerBytes int64 `env:"INGEST_MAX_CALLER_BYTES, default=8388608"`
	// MaxAddressBytes is the same for all requests from one address (IPv4) or /64 (IPv6). It counts the proxy in front as one
	// address if HTTP_TRUSTED_PROXY_HOPS is wrong.
	MaxAddressBytes int64 `env:"INGEST_MAX_ADDRESS_BYTES, default=33554432"`
	// BodyStall is the longest pause in the middle of a body. HTTP_READ_TIMEOUT bounds the whole request.
	BodyStall time.Duration `env:"INGEST_BODY_STALL, default=5s"`
	// MinBodyRate is how many bytes a second of a body must arrive, on average after BodyStall. Clients on slower links
	// cannot send large bodies.
	MinBodyRate int64 `env:"INGEST_MIN_BODY_RATE, default=16384"`
	// MaxWaitingRows bounds the events that wait for a writer, and separately the purchases. Requests beyond it are answered
	// with 503.
	MaxWaitingRows int `env:"INGEST_MAX_WAITING_ROWS, default=50000"`
	// Writers is how many transactions store events at the same time, and how many store purchases. All but the first of each
	// kind work only while hundreds of rows are waiting.
	Writers int `env:"INGEST_WRITERS, default=2"`
	// LockTimeout is how long a transaction waits for a row that another one holds, such as one whose commit waits for a disk or
	// a standby. A process that froze holds no rows: Postgres begins a flush when it has received all of it. The requests that
	// repeat held rows are answered with 503 after this time, and the other requests that shared the transaction are stored
	// without them, after twice this time at most. If it is shorter than a slow commit of the database, repeated events get 503
	// under load.
	LockTimeout time.Duration `env:"INGEST_LOCK_TIMEOUT, default=1s"`
	// WaitTimeout bounds how long a request with ?wait=aggregated waits for the rollups after its commit. It must be shorter
	// than HTTP_REQUEST_TIMEOUT and HTTP_SHUTDOWN_TIMEOUT, or a request whose events are stored could be answered with an
	// error.
	WaitTimeout time.Duration `env:"INGEST_WAIT_TIMEOUT, default=5s"`
	// MaxWaits bounds the batches that requests with ?wait=aggregated wait for at the same time: one per request, or more if
	// it contains duplicates of several batches. Requests beyond it are answered with 202 at once.
	MaxWaits int `env:"INGEST_MAX_WAITS, default=1000"`
	// HistoryLimit is how many pages of raw rows one user or API key may read per RateWindow; an export counts as 20. 0 means no
	// limit.
	HistoryLimit int `env:"INGEST_HISTORY_LIMIT, default=1200"`
	// Exports bounds the exports of raw rows that run at the same time; further ones are answered with 503. Each holds a database
	// connection and a snapshot, which keeps Postgres from removing dead rows until it ends.
	Exports int `env:"INGEST_EXPORTS, default=2"`
	// ExportTimeout bounds one export. A client continues a longer one where it ended.
	ExportTimeout time.Duration `env:"INGEST_EXPORT_TIMEOUT, default=5m"`
	// ExportStall is how long the reader of an export may take for 64 KiB. Slower readers are ended.
	ExportStall time.Duration `env:"INGEST_EXPORT_STALL, default=5s"`
}

func (c *Config) retention() time.Duration { return time.Duration(c.RetentionDays) * 24 * time.Hour }

// maxEventAge is MaxEventAge, or its default.
func (c *Config) maxEventAge() time.Duration {
	const usual = 90 * 24 * time.Hour
	return cmp.Or(c.MaxEventAge, min(usual, c.retention()))
}

// Validate implements config.Validator.
func (c *Config) Validate() error {
	var problems []error
	if c.RetentionDays < 1 {
		problems = append(problems, fmt.Errorf("RETENTION_DAYS: must be at least 1, not %d", c.RetentionDays))
	}
	if longest := c.retention(); c.MaxEventAge != 0 && (c.MaxEventAge < time.Hour || c.MaxEventAge > longest) {
		problems = append(problems, fmt.Errorf("INGEST_MAX_EVENT_AGE: must be 0, or from 1h to RETENTION_DAYS (%s), not %s", longest, c.MaxEventAge))
	}
	if c.UserRateLimit < 0 {
		problems = append(problems, fmt.Errorf("INGEST_USER_RATE_LIMIT: must not be negative, not %d", c.UserRateLimit))
	}
	if c.VisitorRateLimit < 0 {
		problems = append(problems, fmt.Errorf("INGEST_VISITOR_RATE_LIMIT: must not be negative, not %d", c.VisitorRateLimit))
	}
	if c.UnidentifiedRateLimit < 0 {
		problems = append(problems, fmt.Errorf("INGEST_UNIDENTIFIED_RATE_LIMIT: must not be negative, not %d", c.UnidentifiedRateLimit))
	}
	if c.PublicKeyRateLimit < 1 {
		problems = append(problems, fmt.Errorf("INGEST_PUBLIC_KEY_RATE_LIMIT: must be at least 1, not %d", c.PublicKeyRateLimit))
	}
	if c.RateLimit < 0 || c.RateLimit > 0 && c.RateLimit < api.MaxUnits {
		problems = append(problems, fmt.Errorf("INGEST_RATE_LIMIT: must be 0 (no limit) or at least %d (one batch), not %d", api.MaxUnits, c.RateLimit))
	}
	if c.RateWindow < time.Second {
		problems = append(problems, fmt.Errorf("INGEST_RATE_WINDOW: must be at least 1s, not %s", c.RateWindow))
	}
	if c.MaxInflightBytes < minInflightBytes {
		problems = append(problems, fmt.Errorf("INGEST_MAX_INFLIGHT_BYTES: must be at least %d (16 MiB), not %d", minInflightBytes, c.MaxInflightBytes))
	}
	for _, share := range []struct {
		name  string
		bytes int64
	}{{"INGEST_MAX_CALLER_BYTES", c.MaxCallerBytes}, {"INGEST_MAX_ADDRESS_BYTES", c.MaxAddressBytes}} {
		if share.bytes < minShareBytes {
			problems = append(problems, fmt.Errorf("%s: must be at least %d (6 MiB), not %d", share.name, minShareBytes, share.bytes))
		}
	}
	if c.BodyStall <= 0 {
		problems = append(problems, fmt.Errorf("INGEST_BODY_STALL: must be positive, not %s", c.BodyStall))
	}
	if c.MinBodyRate < 1 {
		problems = append(problems, fmt.Errorf("INGEST_MIN_BODY_RATE: must be at least 1, not %d", c.MinBodyRate))
	}
	if c.MaxWaitingRows < event.MaxBatch {
		problems = append(problems, fmt.Errorf("INGEST_MAX_WAITING_ROWS: must be at least %d (one batch), not %d", event.MaxBatch, c.MaxWaitingRows))
	}
	if c.Writers < 1 || 2*c.Writers >= int(c.Postgres.MaxConns) {
		problems = append(problems, fmt.Errorf("INGEST_WRITERS: must be at least 1 and less than half of DATABASE_MAX_CONNS, not %d", c.Writers))
	}
	if c.LockTimeout < time.Millisecond {
		problems = append(problems, fmt.Errorf("INGEST_LOCK_TIMEOUT: must be at least 1ms, not %s", c.LockTimeout))
	}
	if limit := c.Postgres.StatementTimeout; limit > 0 && c.LockTimeout >= limit {
		problems = append(problems, fmt.Errorf("INGEST_LOCK_TIMEOUT: must be shorter than DATABASE_STATEMENT_TIMEOUT, %s, not %s", limit, c.LockTimeout))
	}
	if longest := min(c.HTTP.RequestTimeout, c.HTTP.ShutdownTimeout); c.WaitTimeout <= 0 || c.WaitTimeout >= longest {
		problems = append(problems, fmt.Errorf("INGEST_WAIT_TIMEOUT: must be positive and shorter than HTTP_REQUEST_TIMEOUT and HTTP_SHUTDOWN_TIMEOUT, not %s", c.WaitTimeout))
	}
	if c.MaxWaits < 0 {
		problems = append(problems, fmt.Errorf("INGEST_MAX_WAITS: must be 0 (no request waits) or more, not %d", c.MaxWaits))
	}
	problems = append(problems, c.checkHistory()...)
	return errors.Join(problems...)
}

// checkHistory returns what is wrong with the settings of reads of raw rows.
func (c *Config) checkHistory() (problems []error) {
	if c.HistoryLimit < 0 {
		problems = append(problems, fmt.Errorf("INGEST_HISTORY_LIMIT: must not be negative, not %d", c.HistoryLimit))
	}
	if c.Exports < 1 || c.Exports+2*c.Writers > int(c.Postgres.MaxConns) {
		problems = append(problems, fmt.Errorf("INGEST_EXPORTS: must be at least 1, and together with twice INGEST_WRITERS at most DATABASE_MAX_CONNS, not %d", c.Exports))
	}
	if c.ExportTimeout < time.Second {
		problems = append(problems, fmt.Errorf("INGEST_EXPORT_TIMEOUT: must be at least 1s, not %s", c.ExportTimeout))
	}
	if idle := c.Postgres.IdleTransactionTimeout; c.ExportStall <= 0 || idle > 0 && c.ExportStall >= idle {
		problems = append(problems, fmt.Errorf("INGEST_EXPORT_STALL: must be positive and shorter than DATABASE_IDLE_TRANSACTION_TIMEOUT, not %s", c.ExportStall))
	}
	return problems
}
