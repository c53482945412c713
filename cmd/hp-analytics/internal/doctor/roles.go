package doctor

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/checkup"
	"github.com/hp-analytics/hp-analytics/migrations"
)

func schemaVersion(ctx context.Context, s *Site) ([]Finding, error) {
	var version int64
	if err := s.Login.QueryRow(ctx, `SELECT version FROM public.schema_migrations`).Scan(&version); err != nil {
		return nil, err
	}
	switch want := int64(migrations.Latest()); {
	case version < want:
		return checkup.One(checkup.Wrong("hp-analytics migrate up", "the schema has version %d, this program needs %d: its services stay unready", version, want))
	case version > want:
		return checkup.One(checkup.Warn("use the hp-analytics of the version that is installed", "the schema has version %d, this program knows %d", version, want))
	}
	return checkup.One(checkup.Fine("the schema has version %d", version))
}

func indexes(ctx context.Context, s *Site) ([]Finding, error) {
	const query = `
		SELECT i.indexrelid::regclass::text
		FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
		WHERE n.nspname IN ('auth', 'catalog', 'ingest', 'stats', 'workspace') AND NOT (i.indisvalid AND i.indisready)
		ORDER BY 1`
	rows, _ := s.Login.Query(ctx, query) // CollectRows returns its error
	invalid, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	if len(invalid) > 0 {
		return checkup.One(checkup.Wrong("REINDEX INDEX CONCURRENTLY …", "indexes are not valid, so no query uses them: %s", strings.Join(invalid, ", ")))
	}
	return checkup.One(checkup.Fine("every index is valid"))
}

// assumable is whether the login may assume a role: since Postgres 16, a member may not have the privilege SET.
const assumable = `pg_has_role(r.rolname, CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END)`

func serviceRoles(ctx context.Context, s *Site) ([]Finding, error) {
	const query = `
		SELECT service, r.rolname IS NOT NULL, coalesce(` + assumable + `, false), coalesce(r.rolsuper, false), current_user
		FROM unnest($1::text[]) AS service LEFT JOIN pg_roles AS r ON r.rolname = service`
	rows, _ := s.Login.Query(ctx, query, migrations.Roles()) // ForEachRow returns its error
	var findings []Finding
	var role, login string
	var there, may, super bool
	_, err := pgx.ForEachRow(rows, []any{&role, &there, &may, &super, &login}, func() error {
		switch {
		case !there:
			findings = append(findings, checkup.Wrong("as an administrator: CREATE ROLE "+role+" NOLOGIN; then hp-analytics migrate up", "the role %s does not exist", role))
		case !may:
			findings = append(findings, checkup.Wrong("as an administrator: GRANT "+role+" TO "+login, "the login %s may not assume the role %s", login, role))
		case super:
			findings = append(findings, checkup.Wrong("ALTER ROLE "+role+" NOSUPERUSER", "the role %s is a superuser: who controls the service controls the server", role))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return checkup.OrFine(findings, "the login may assume the roles of all %d services", len(migrations.Roles()))
}

func loginRole(ctx context.Context, s *Site) ([]Finding, error) {
	var login string
	var super bool
	if err := s.Login.QueryRow(ctx, `SELECT rolname, rolsuper FROM pg_roles WHERE rolname = session_user`).Scan(&login, &super); err != nil {
		return nil, err
	}
	if super {
		return checkup.One(checkup.Warn("give the services a login that owns the database and is no superuser (docs/kubernetes.md#postgres)",
			"the login %s is a superuser: who controls a service controls the server", login))
	}
	return checkup.One(checkup.Fine("the login %s is no superuser", login))
}

// rights are privileges that show whether the grants of the migrations are in force. Those that must not be there protect
// credentials and keep heavy queries away from the raw rows.
var rights = []struct {
	role, table, privilege string
	want                   bool
}{
	{"hp_auth", "auth.users", "UPDATE", true},
	{"hp_catalog", "catalog.products", "INSERT", true},
	{"hp_ingest", "ingest.events", "INSERT", true},
	{"hp_ingest", "ingest.batches", "INSERT", true},
	{"hp_aggregator", "ingest.batches", "UPDATE", true},
	{"hp_aggregator", "stats.daily_stats", "UPDATE", true},
	{"hp_analytics", "stats.daily", "SELECT", true},
	{"hp_analytics", "ingest.events", "SELECT", false},
	{"hp_analytics", "stats.daily_stats", "UPDATE", false},
	{"hp_ingest", "auth.signing_keys", "SELECT", false},
	{"hp_catalog", "auth.signing_keys", "SELECT", false},
	{"hp_analytics", "auth.signing_keys", "SELECT", false},
	{"hp_aggregator", "auth.signing_keys", "SELECT", false},
}

func privileges(ctx context.Context, s *Site) ([]Finding, error) {
	var findings []Finding
	for _, r := range rights {
		var has bool
		if err := s.Login.QueryRow(ctx, `SELECT has_table_privilege($1, $2, $3)`, r.role, r.table, r.privilege).Scan(&has); err != nil {
			return nil, err
		}
		switch {
		case r.want && !has:
			findings = append(findings, checkup.Wrong("GRANT "+r.privilege+" ON "+r.table+" TO "+r.role, "%s lacks %s on %s", r.role, r.privilege, r.table))
		case has && !r.want:
			findings = append(findings, checkup.Wrong("REVOKE "+r.privilege+" ON "+r.table+" FROM "+r.role+", and from PUBLIC and roles that it is a member of",
				"%s has %s on %s, which it must not have", r.role, r.privilege, r.table))
		}
	}
	return checkup.OrFine(findings, "%d privileges are as the migrations grant them", len(rights))
}
