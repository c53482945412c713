// Package checkup looks at the work of an installation, and says what is wrong with it and what to do: the queue, the backlog, and
// whether the numbers are proven. It only reads, and needs no more rights than to see how much waits. `hp-analytics doctor` and
// GET /system say the same, because both take it from here.
package checkup

import (
	"context"
	"fmt"
	"time"

	"github.com/hibiken/asynq"
	"github.com/jackc/pgx/v5/pgxpool"

	platformredis "github.com/hp-analytics/hp-analytics/internal/platform/redis"
)

// Level says how bad a finding is.
type Level string

// The levels, from good to bad.
const (
	OK      Level = "ok"
	Warning Level = "warning"
	Problem Level = "problem"
)

// Finding is what a check has found.
type Finding struct {
	Area  string `json:"area"`
	Check string `json:"check"`
	Level Level  `json:"level"`
	Says  string `json:"says"`
	Do    string `json:"do,omitempty"` // what to do; empty if the level is OK
}

// Site is the installation that is looked at.
type Site struct {
	Data  *pgxpool.Pool         // as a role that may read what the checks name: hp_aggregator or hp_analytics
	Redis *platformredis.Client // nil: not looked at
	Queue *asynq.Inspector      // on Redis

	Hurry bool // in tests: every wait is too long
}

// AtLeast returns the time from which on a wait is too long.
func (s *Site) AtLeast(wait time.Duration) time.Duration {
	if s.Hurry {
		return 0
	}
	return wait
}

// Check is one thing that is looked at. An error of Run means that it could not be.
type Check struct {
	Area, Name string
	NeedsRedis bool
	Run        func(ctx context.Context, s *Site) ([]Finding, error)
}

// Checks are all of them, in the order of a report.
var Checks = []Check{
	{"queue", "tasks", true, queueTasks},
	{"queue", "workers", true, queueWorkers},
	{"backlog", "pending", false, pendingBatches},
	{"backlog", "failed", false, failedBatches},
	{"backlog", "dead rows", false, deadRows},
	{"backlog", "segments", false, unmergedSegments},
	{"numbers", "reconcile", false, lastReconcile},
	{"numbers", "rebuild", false, rebuilds},
	{"numbers", "time zones", false, zoneChanges},
	{"numbers", "erasures", false, erasures},
}

// Fine returns a finding that all is well.
func Fine(format string, args ...any) Finding {
	return Finding{Level: OK, Says: fmt.Sprintf(format, args...)}
}

// Warn returns a finding to look at, with what to do.
func Warn(do, format string, args ...any) Finding {
	return Finding{Level: Warning, Says: fmt.Sprintf(format, args...), Do: do}
}

// Wrong returns a finding of something that does not work, with what to do.
func Wrong(do, format string, args ...any) Finding {
	return Finding{Level: Problem, Says: fmt.Sprintf(format, args...), Do: do}
}

// One returns a single finding.
func One(f Finding) ([]Finding, error) { return []Finding{f}, nil }

// OrFine returns findings, or that everything is fine if there are none.
func OrFine(findings []Finding, format string, args ...any) ([]Finding, error) {
	if len(findings) == 0 {
		return One(Fine(format, args...))
	}
	return findings, nil
}

// Size formats bytes.
func Size(bytes float64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	n := 0
	for bytes >= 1024 && n < len(units)-1 {
		bytes /= 1024
		n++
	}
	return fmt.Sprintf("%.4g %s", bytes, units[n])
}
