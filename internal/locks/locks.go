// Package locks is the registry of the advisory locks that the platform takes. All services share one database, so two
// locks with the same key would exclude each other: every key is defined here, and nowhere else.
//
// Locks with a fixed key use Postgres' space of two-integer keys, all in one class. Locks of idempotency keys use hashes
// in the space of one-bigint keys, where they are alone.
package locks

import "github.com/hp-analytics/hp-analytics/internal/platform/postgres"

// class sets the locks of the platform apart from those of other programs on the same database.
const class = 4823

// The locks with a fixed key. All lists them.
const (
	// Partitions is held by the SQL functions that create and drop partitions, until their transaction ends. Migrations
	// contain its key as a literal.
	Partitions postgres.AdvisoryLock = class<<32 | 1
	// AggregatorLeader is held by the aggregator that sweeps and does maintenance.
	AggregatorLeader postgres.AdvisoryLock = class<<32 | 2
	// Rebuild is held by the one rebuild that may run.
	Rebuild postgres.AdvisoryLock = class<<32 | 3
	// AuthLeader is held by the auth replica that prunes expired rows.
	AuthLeader postgres.AdvisoryLock = class<<32 | 4
	// Migration is held by the one process that migrates the schema.
	Migration postgres.AdvisoryLock = class<<32 | 5
	// Zones is held by every fold that goes by the time zones of projects, shared, until its transaction ends. Whoever changes
	// stats.zones holds it alone.
	Zones postgres.AdvisoryLock = class<<32 | 6
	// Segments is held by the transaction that merges segments of rollups, or derives them anew. Folds do not need it.
	Segments postgres.AdvisoryLock = class<<32 | 7
	// firstLane is lane 0. Lane n is n above it.
	firstLane postgres.AdvisoryLock = class<<32 | 1000
)

// MaxLanes bounds the number of lanes: the column lane of the rollups is a smallint.
const MaxLanes = 1<<15 - 1

// All returns the locks with a fixed key by name, apart from the lanes.
func All() map[string]postgres.AdvisoryLock {
	return map[string]postgres.AdvisoryLock{
		"Partitions":       Partitions,
		"AggregatorLeader": AggregatorLeader,
		"Rebuild":          Rebuild,
		"AuthLeader":       AuthLeader,
		"Migration":        Migration,
		"Zones":            Zones,
		"Segments":         Segments,
	}
}

// Lane returns the lock of a lane of the rollups, from 0 to MaxLanes-1. A fold holds it until its transaction ends.
func Lane(n int16) postgres.AdvisoryLock { return firstLane + postgres.AdvisoryLock(n) }

// IdempotencyKey is the SQL expression of the one-bigint key for an idempotency key, in a query that has the columns
// project, principal and key. None contains a space.
//
// Different idempotency keys can have the same hash. Then one of two requests at the same moment is told that its key is
// in flight, and succeeds when it is sent again.
const IdempotencyKey = `hashtextextended(project || ' ' || principal || ' ' || key, 0)`
