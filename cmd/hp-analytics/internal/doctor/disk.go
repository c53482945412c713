package doctor

import (
	"context"
	"fmt"
	"math"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/hp-analytics/hp-analytics/internal/checkup"
	"github.com/hp-analytics/hp-analytics/internal/quantity"
	"github.com/hp-analytics/hp-analytics/services/aggregator/retention"
)

const (
	daysLow, daysGone = 30, 7      // days until the disk is full
	freeLow, freeGone = 0.10, 0.05 // part of the disk that is free
	plenty            = 100        // times the database: that much free space is enough, whatever part of the disk it is
)

// usage is what a database needs, and the disk of its server if that can be seen from here.
type usage struct {
	database int64   // bytes
	perDay   float64 // bytes, by the latest weeks of raw events; NaN if there are none
	free     int64   // bytes; -1: not known
	disk     int64   // bytes
}

// disk measures the growth by the partitions of this week and of the last one, which is the most of it. Until the first day of this
// week is over, only the last one counts.
func disk(ctx context.Context, s *Site) ([]Finding, error) {
	u := usage{free: -1}
	const query = `
		WITH weeks AS MATERIALIZED (
			SELECT c.oid, to_date(right(c.relname, 8), 'YYYYMMDD') AS week
			FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
			WHERE i.inhparent = 'ingest.events'::regclass AND c.relname ~ '[0-9]{8}$'
		), begun AS (
			SELECT oid, least(extract(epoch FROM now() AT TIME ZONE 'UTC' - week) / 86400, 7)::float8 AS days
			FROM weeks WHERE week < (now() AT TIME ZONE 'UTC')::date AND week > (now() AT TIME ZONE 'UTC')::date - 14
		)
		SELECT pg_database_size(current_database()), coalesce((SELECT sum(pg_total_relation_size(oid)) / sum(days) FROM begun), 'NaN')`
	if err := s.Login.QueryRow(ctx, query).Scan(&u.database, &u.perDay); err != nil {
		return nil, err
	}
	dir, err := s.dataDir(ctx)
	if err != nil {
		return nil, err
	}
	if dir != "" {
		var stat syscall.Statfs_t
		if err := syscall.Statfs(dir, &stat); err != nil {
			return nil, fmt.Errorf("look at the disk of %s: %w", dir, err)
		}
		u.free, u.disk = int64(stat.Bavail)*stat.Bsize, int64(stat.Blocks)*stat.Bsize
	}
	return checkup.One(u.judge())
}

// dataDir returns the directory of the data of Postgres if it is on this machine, else "".
func (s *Site) dataDir(ctx context.Context) (string, error) {
	if s.DataDir != "" {
		return s.DataDir, nil
	}
	var dir, address string
	const query = `
		SELECT coalesce(host(inet_server_addr()), ''),
			CASE WHEN pg_has_role('pg_read_all_settings', 'MEMBER') THEN current_setting('data_directory') ELSE '' END`
	if err := s.Login.QueryRow(ctx, query).Scan(&address, &dir); err != nil {
		return "", err
	}
	addr, err := netip.ParseAddr(address)
	if address != "" && (err != nil || !addr.IsLoopback()) {
		return "", nil //nolint:nilerr // the server is elsewhere
	}
	if _, err := os.Stat(dir); err != nil {
		return "", nil //nolint:nilerr // it is in a container, or cannot be entered
	}
	return dir, nil
}

func (u usage) judge() Finding {
	text := "the database has " + checkup.Size(float64(u.database))
	if !math.IsNaN(u.perDay) {
		text += ", a day of raw events " + checkup.Size(u.perDay)
	}
	if u.free < 0 {
		return checkup.Fine("%s; how much is free cannot be seen from here", text)
	}
	text += fmt.Sprintf("; %s of %s are free", checkup.Size(float64(u.free)), checkup.Size(float64(u.disk)))
	days := math.Inf(1)
	if u.perDay > 0 {
		days = float64(u.free) / u.perDay
		if days < 10*daysLow {
			text += fmt.Sprintf(", enough for %.0f days", math.Floor(days))
		}
	}
	const do = "enlarge the disk, or lower RETENTION_DAYS: the raw events of weeks that are past it are dropped within the hour"
	part := float64(u.free) / float64(u.disk)
	if part < freeLow {
		text += ", less than a tenth of it"
	}
	if u.free >= plenty*u.database {
		part = 1
	}
	switch {
	case days < daysGone || part < freeGone:
		return checkup.Wrong(do, "%s", text)
	case days < daysLow || part < freeLow:
		return checkup.Warn(do, "%s", text)
	}
	return checkup.Fine("%s", text)
}

// daysAhead is for how many days beyond today the aggregator makes partitions.
const daysAhead = 3

func partitionsAhead(ctx context.Context, s *Site) ([]Finding, error) {
	var standard bool
	const rest = `SELECT EXISTS (SELECT FROM pg_partitioned_table WHERE partrelid = 'ingest.events'::regclass AND partdefid <> 0)`
	if err := s.Data.QueryRow(ctx, rest).Scan(&standard); err != nil {
		return nil, err
	}
	if standard { // the weeks of partitions can only be read from their names
		return checkup.One(checkup.Wrong("move its rows to partitions of their weeks, and drop it",
			"ingest.events has a default partition: its rows have no week, and retention fails"))
	}
	const query = `
		WITH partitions AS MATERIALIZED (
			SELECT to_date(right(c.relname, 8), 'YYYYMMDD') AS week
			FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
			WHERE i.inhparent = 'ingest.events'::regclass
		)
		SELECT count(*), coalesce(bool_or(n = 0), false)
		FROM generate_series(0, $1::int) AS n JOIN partitions ON (now() AT TIME ZONE 'UTC')::date + n BETWEEN week AND week + 6`
	var ahead int
	var today bool
	if err := s.Data.QueryRow(ctx, query, daysAhead).Scan(&ahead, &today); err != nil {
		return nil, err
	}
	const do = "look at the log of the aggregator for \"maintenance\"; as the owner: SELECT ingest.ensure_partitions(current_date, current_date + 3)"
	switch {
	case !today:
		return checkup.One(checkup.Wrong(do, "there is no partition for the events of today: the first of them waits for a lock"))
	case ahead <= daysAhead:
		return checkup.One(checkup.Warn(do, "there are partitions for %s, today included, and not for %d: is the aggregator running?", quantity.Of(ahead, "day"), daysAhead+1))
	}
	return checkup.One(checkup.Fine("there are partitions for today and %d days more", daysAhead))
}

// expired looks for raw events that should have been dropped a day ago.
func expired(ctx context.Context, s *Site) ([]Finding, error) {
	kept := retention.FirstKept(s.Now(), s.RetentionDays)
	e, err := retention.Show(ctx, s.Data, kept.AddDate(0, 0, -1))
	if err != nil {
		return nil, err
	}
	switch n := len(e.Partitions); {
	case len(e.Held) > 0:
		var projects []string
		for _, p := range e.Held {
			projects = append(projects, p.HeldBy...)
		}
		slices.Sort(projects)
		return checkup.One(checkup.Warn("hp-analytics batches list, and see why these batches are not folded",
			"raw events of %s are past the retention of %s and kept for the projects %s, because batches with rows of such weeks are not folded",
			quantity.Of(len(e.Held), "week"), quantity.Of(s.RetentionDays, "day"), strings.Join(slices.Compact(projects), ", ")))
	case n > 0:
		return checkup.One(checkup.Warn("check that RETENTION_DAYS is the same here and for the aggregator; then hp-analytics retention --apply",
			"raw events of %s are past the retention of %s", quantity.Of(n, "week"), quantity.Of(s.RetentionDays, "day")))
	}
	return checkup.One(checkup.Fine("no week of raw events is past the retention of %s", quantity.Of(s.RetentionDays, "day")))
}

// importsWait is how long a finished import may wait for its proof.
const importsWait = "7 days"

func unprovenImports(ctx context.Context, s *Site) ([]Finding, error) {
	var n int
	const query = `SELECT count(*) FROM ingest.imports WHERE proven_at IS NULL AND finished_at < now() - $1::text::interval`
	if err := s.Data.QueryRow(ctx, query, importsWait).Scan(&n); err != nil {
		return nil, err
	}
	if n > 0 {
		return checkup.One(checkup.Warn("hp-analytics reconcile", "%s of history, finished more than %s ago, not proven: the raw events stay on the disk", quantity.Of(n, "import"), importsWait))
	}
	return checkup.One(checkup.Fine("no import of history waits to be proven"))
}
