// Package doctor looks at a deployment and says what is wrong with it and what to do. It only reads.
package doctor

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

// Site is the deployment that is looked at.
type Site struct {
	Login *pgxpool.Pool         // as the login of the services
	Data  *pgxpool.Pool         // as the role of the aggregator, which may read all data but credentials
	Redis *platformredis.Client // nil: not looked at
	Queue *asynq.Inspector      // on Redis
	URL   string                // base URL of the services; empty: not looked at

	DataDir       string           // holds the data of Postgres, if that is on this machine
	Pools         map[string]int32 // connections that a process of a service may open, by application name
	RetentionDays int
	Now           func() time.Time

	hurry bool // in tests: every wait is too long
}

// atLeast returns the time from which on a wait is too long.
func (s *Site) atLeast(wait time.Duration) time.Duration {
	if s.hurry {
		return 0
	}
	return wait
}

// check is one thing that is looked at. An error means that it could not be.
type check struct {
	area, name string
	run        func(ctx context.Context, s *Site) ([]Finding, error)
}

// checks lists everything that is looked at, in the order of the report.
var checks = []check{
	{"postgres", "version", postgresVersion},
	{"postgres", "durability", durability},
	{"postgres", "connections", connections},
	{"postgres", "settings", settings},
	{"postgres", "autovacuum", autovacuum},
	{"postgres", "time zones", timeZones},
	{"schema", "version", schemaVersion},
	{"schema", "indexes", indexes},
	{"roles", "services", serviceRoles},
	{"roles", "login", loginRole},
	{"roles", "privileges", privileges},
	{"clock", "postgres", postgresClock},
	{"clock", "redis", redisClock},
	{"disk", "database", disk},
	{"partitions", "ahead", partitionsAhead},
	{"partitions", "retention", expired},
	{"partitions", "imports", unprovenImports},
	{"sessions", "transactions", longTransactions},
	{"sessions", "blocked", blocked},
	{"sessions", "replication slots", slots},
	{"redis", "server", redisServer},
	{"redis", "memory", redisMemory},
	{"redis", "persistence", redisPersistence},
	{"queue", "tasks", queueTasks},
	{"queue", "workers", queueWorkers},
	{"backlog", "pending", pendingBatches},
	{"backlog", "failed", failedBatches},
	{"backlog", "dead rows", deadRows},
	{"backlog", "segments", unmergedSegments},
	{"numbers", "reconcile", lastReconcile},
	{"numbers", "rebuild", rebuilds},
	{"numbers", "time zones", zoneChanges},
	{"numbers", "erasures", erasures},
	{"numbers", "event names", eventNames},
	{"services", "ready", ready},
}

// checkTimeout bounds one check.
const checkTimeout = 10 * time.Second

// Examine runs every check and returns what they found, by area. A database that does not answer is one finding.
func Examine(ctx context.Context, s *Site) []Finding {
	var findings []Finding
	down := map[string]bool{}
	for area, ping := range map[string]func(context.Context) error{"postgres": s.Login.Ping, "redis": s.pingRedis} {
		if err := within(ctx, ping); err != nil {
			down[area] = true
			findings = append(findings, Finding{area, "connection", Problem, "does not answer: " + err.Error(), "start it, or correct " + urlOf[area]})
		}
	}
	for _, c := range checks {
		if down[needs(c.area)] || c.needsRedis() && (down["redis"] || s.Redis == nil) {
			continue
		}
		err := within(ctx, func(ctx context.Context) error {
			found, err := c.run(ctx, s)
			for _, f := range found {
				f.Area, f.Check = c.area, c.name
				findings = append(findings, f)
			}
			return err
		})
		if err != nil {
			findings = append(findings, Finding{c.area, c.name, Problem, "cannot be checked: " + err.Error(), "correct what the message says, and ask again"})
		}
	}
	return findings
}

// urlOf names the setting of a database.
var urlOf = map[string]string{"postgres": "DATABASE_URL", "redis": "REDIS_URL"}

// needs returns the database that the checks of an area cannot do without.
func needs(area string) string {
	switch area {
	case "redis":
		return "redis"
	case "services":
		return ""
	default:
		return "postgres"
	}
}

// needsRedis reports whether a check looks at Redis.
func (c check) needsRedis() bool { return c.area == "redis" || c.area == "queue" || c.name == "redis" }

func (s *Site) pingRedis(ctx context.Context) error {
	if s.Redis == nil {
		return nil
	}
	return s.Redis.Ping(ctx).Err()
}

func within(ctx context.Context, run func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	return run(ctx)
}

func fine(format string, args ...any) Finding {
	return Finding{Level: OK, Says: fmt.Sprintf(format, args...)}
}

func warning(do, format string, args ...any) Finding {
	return Finding{Level: Warning, Says: fmt.Sprintf(format, args...), Do: do}
}

func problem(do, format string, args ...any) Finding {
	return Finding{Level: Problem, Says: fmt.Sprintf(format, args...), Do: do}
}

// one returns a single finding.
func one(f Finding) ([]Finding, error) { return []Finding{f}, nil }

// orFine returns findings, or that everything is fine if there are none.
func orFine(findings []Finding, format string, args ...any) ([]Finding, error) {
	if len(findings) == 0 {
		return one(fine(format, args...))
	}
	return findings, nil
}
