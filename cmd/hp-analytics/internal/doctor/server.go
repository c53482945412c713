package doctor

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/checkup"
)

// oldestPostgres is the oldest major version that the platform is tested with.
const oldestPostgres = 15

func postgresVersion(ctx context.Context, s *Site) ([]Finding, error) {
	var version string
	var number int
	var recovery, readOnly bool
	const query = `
		SELECT current_setting('server_version'), current_setting('server_version_num')::int, pg_is_in_recovery(),
			current_setting('default_transaction_read_only')::bool`
	if err := s.Login.QueryRow(ctx, query).Scan(&version, &number, &recovery, &readOnly); err != nil {
		return nil, err
	}
	return checkup.One(judgeServer(version, number, recovery, readOnly))
}

func judgeServer(version string, number int, recovery, readOnly bool) Finding {
	switch {
	case number < oldestPostgres*10_000:
		return checkup.Wrong(fmt.Sprintf("upgrade to Postgres %d or newer", oldestPostgres), "Postgres %s is too old", version)
	case recovery:
		return checkup.Wrong("set DATABASE_URL to the primary, or promote this server", "Postgres %s is a standby: nothing can be written", version)
	case readOnly:
		return checkup.Wrong("ALTER SYSTEM, ALTER DATABASE or ALTER ROLE … RESET default_transaction_read_only, whichever sets it",
			"Postgres %s is read-only (default_transaction_read_only)", version)
	}
	return checkup.Fine("Postgres %s", version)
}

// setting reads settings of the server by name. It takes what a new session of the login gets, without what this session has set.
func setting(ctx context.Context, s *Site, names ...string) (map[string]string, error) {
	rows, _ := s.Login.Query(ctx, `SELECT name, reset_val FROM pg_settings WHERE name = ANY ($1)`, names) // ForEachRow returns its error
	values := map[string]string{}
	var name, value string
	_, err := pgx.ForEachRow(rows, []any{&name, &value}, func() error {
		values[name] = value
		return nil
	})
	return values, err
}

func durability(ctx context.Context, s *Site) ([]Finding, error) {
	values, err := setting(ctx, s, "fsync", "full_page_writes", "synchronous_commit")
	if err != nil {
		return nil, err
	}
	var findings []Finding
	for _, name := range []string{"fsync", "full_page_writes"} {
		if values[name] != "on" {
			findings = append(findings, checkup.Wrong("ALTER SYSTEM SET "+name+" = on, and reload",
				"%s is %s: a crash of the server can destroy the database", name, values[name]))
		}
	}
	if value := values["synchronous_commit"]; value == "off" {
		findings = append(findings, checkup.Warn("ALTER SYSTEM SET synchronous_commit = on, and reload",
			"synchronous_commit is off: ingest switches it on for itself, but a crash can lose products, accounts and keys that were acknowledged"))
	}
	return checkup.OrFine(findings, "fsync and full_page_writes are on, synchronous_commit is %s", values["synchronous_commit"])
}

// sharedBuffers is the least for shared_buffers, in pages of 8 KiB: the default of Postgres, 128 MiB.
const sharedBuffers = 128 << 20 / 8192

func settings(ctx context.Context, s *Site) ([]Finding, error) {
	const query = `
		SELECT current_setting('wal_level'), pg_size_pretty(b.setting::bigint * 8192), b.setting::bigint < $1,
			z.reset_val, pg_encoding_to_char(d.encoding)
		FROM pg_settings AS b, pg_settings AS z, pg_database AS d
		WHERE b.name = 'shared_buffers' AND z.name = 'TimeZone' AND d.datname = current_database()`
	var wal, buffers, zone, encoding string
	var small bool
	if err := s.Login.QueryRow(ctx, query, sharedBuffers).Scan(&wal, &buffers, &small, &zone, &encoding); err != nil {
		return nil, err
	}
	var findings []Finding
	if encoding != "UTF8" {
		findings = append(findings, checkup.Wrong("create the database anew with ENCODING 'UTF8', and restore a dump into it",
			"the encoding of the database is %s: names and properties in other alphabets are refused", encoding))
	}
	if wal == "minimal" {
		findings = append(findings, checkup.Warn("ALTER SYSTEM SET wal_level = replica, and restart Postgres",
			"wal_level is minimal: neither continuous backups nor standbys are possible"))
	}
	if small {
		findings = append(findings, checkup.Warn("ALTER SYSTEM SET shared_buffers = '1GB' (a quarter of the memory), and restart Postgres",
			"shared_buffers is %s: folds and rankings read from the disk what could be in memory", buffers))
	}
	if zone != "UTC" && zone != "Etc/UTC" {
		findings = append(findings, checkup.Warn("ALTER SYSTEM SET timezone = 'UTC', and reload",
			"the time zone of new sessions is %s: what you query by hand has other days than the partitions, which are UTC days", zone))
	}
	return checkup.OrFine(findings, "shared_buffers is %s, wal_level is %s, the encoding is %s, times are in UTC", buffers, wal, encoding)
}

func autovacuum(ctx context.Context, s *Site) ([]Finding, error) {
	values, err := setting(ctx, s, "autovacuum", "track_counts")
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"autovacuum", "track_counts"} {
		if values[name] != "on" {
			return checkup.One(checkup.Wrong("ALTER SYSTEM SET "+name+" = on, and reload",
				"%s is off: no table is vacuumed, so folds become slower and the disk fills up", name))
		}
	}
	const query = `
		SELECT c.oid::regclass::text
		FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace, unnest(c.reloptions) AS option
		WHERE n.nspname IN ('auth', 'catalog', 'ingest', 'stats', 'workspace') AND option ~ '^autovacuum_enabled=(false|off|no|0)$'
		ORDER BY 1`
	rows, _ := s.Login.Query(ctx, query) // CollectRows returns its error
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	if len(tables) > 0 {
		return checkup.One(checkup.Wrong("ALTER TABLE … RESET (autovacuum_enabled)", "autovacuum is off for %s", strings.Join(tables, ", ")))
	}
	return checkup.One(checkup.Fine("autovacuum is on"))
}

// timeZones looks for projects whose time zone the server does not know: their rows cannot be recounted.
func timeZones(ctx context.Context, s *Site) ([]Finding, error) {
	const query = `
		SELECT p.slug || ' (' || p.time_zone || ')' FROM auth.projects AS p
		WHERE NOT EXISTS (SELECT FROM pg_timezone_names AS z WHERE z.name = p.time_zone)
		ORDER BY p.slug`
	rows, _ := s.Data.Query(ctx, query) // CollectRows returns its error
	unknown, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	if len(unknown) > 0 {
		return checkup.One(checkup.Wrong("install the time zones of the operating system (tzdata) beside Postgres, and restart it",
			"Postgres does not know the time zones of %s", strings.Join(unknown, ", ")))
	}
	return checkup.One(checkup.Fine("Postgres knows the time zone of every project"))
}
