// Package doctor looks at a deployment and says what is wrong with it and what to do. It only reads.
package doctor

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/checkup"
)

// Level says how bad a finding is.
type Level = checkup.Level

// The levels, from good to bad.
const (
	OK      = checkup.OK
	Warning = checkup.Warning
	Problem = checkup.Problem
)

// Finding is what a check has found.
type Finding = checkup.Finding

// Site is the deployment that is looked at.
type Site struct {
	// Site has the pool of the role of the aggregator, which may read all data but credentials.
	checkup.Site

	Login *pgxpool.Pool // as the login of the services
	URL   string        // base URL of the services; empty: not looked at

	DataDir       string           // holds the data of Postgres, if that is on this machine
	Pools         map[string]int32 // connections that a process of a service may open, by application name
	RetentionDays int
	Now           func() time.Time
}

// check is one thing that is looked at. An error means that it could not be.
type check struct {
	area, name string
	run        func(ctx context.Context, s *Site) ([]Finding, error)
}

// checks lists everything that is looked at, in the order of the report.
var checks = slices.Concat([]check{
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
}, shared(), []check{
	{"numbers", "event names", eventNames},
	{"services", "ready", ready},
})

// shared are the checks that GET /system makes, too.
func shared() (all []check) {
	for _, c := range checkup.Checks {
		all = append(all, check{c.Area, c.Name, func(ctx context.Context, s *Site) ([]Finding, error) { return c.Run(ctx, &s.Site) }})
	}
	return all
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
			findings = append(findings, Finding{
				Area: area, Check: "connection", Level: Problem, Says: "does not answer: " + err.Error(), Do: "start it, or correct " + urlOf[area],
			})
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
			findings = append(findings, Finding{
				Area: c.area, Check: c.name, Level: Problem, Says: "cannot be checked: " + err.Error(), Do: "correct what the message says, and ask again",
			})
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
