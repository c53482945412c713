package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/audit"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/project"
)

const projectColumns = `p.id, p.slug, p.name, p.time_zone, p.currency, p.week_start, p.max_event_age_days, p.events_per_second,
	p.archived_at, p.version, p.created_at, p.updated_at, ` + zoneColumn

// scanProject reads a row of projectColumns and what follows them.
func scanProject(row pgx.Row, more ...any) (p project.Project, err error) {
	var zone *zoneState
	targets := []any{
		&p.ID, &p.Slug, &p.Name, &p.TimeZone, &p.Currency, &p.WeekStart, &p.MaxEventAgeDays, &p.EventsPerSecond,
		&p.ArchivedAt, &p.Version, &p.CreatedAt, &p.UpdatedAt, &zone,
	}
	err = row.Scan(append(targets, more...)...)
	p.ZoneChange, p.Archived = zone.change(p.TimeZone), p.ArchivedAt != nil
	return p, err
}

// Project returns a project by its slug, or NotFound.
func (s Store) Project(ctx context.Context, slug string) (project.Project, error) {
	p, err := scanProject(s.Pool.QueryRow(ctx, `SELECT `+projectColumns+` FROM auth.projects p WHERE slug = $1`, slug))
	if err != nil {
		err = postgres.Classify(fmt.Errorf("find a project: %w", err))
		if errs.Is(err, errs.NotFound) {
			err = errs.New(errs.NotFound, project.UnknownProject, "There is no project with the name "+slug+".").Because(err)
		}
		return project.Project{}, err
	}
	return p, nil
}

// Projects returns up to limit projects in the order of their slugs, those that follow after, with the role of an account in
// each. Without all, it returns only those that the account is a member of.
func (s Store) Projects(ctx context.Context, user uuid.UUID, all bool, after string, limit int) ([]project.Project, error) {
	const query = `
		SELECT ` + projectColumns + `, coalesce(m.role, '')
		FROM auth.projects p
		LEFT JOIN auth.members m ON m.project = p.id AND m.user_id = $1
		WHERE ($2 OR m.role IS NOT NULL) AND p.slug > $3
		ORDER BY p.slug
		LIMIT $4`
	rows, err := s.Pool.Query(ctx, query, user, all, after, limit)
	if err != nil {
		return nil, postgres.Classify(fmt.Errorf("list projects: %w", err))
	}
	projects, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (project.Project, error) {
		var role authn.Role
		p, err := scanProject(row, &role)
		p.Role = role
		return p, err
	})
	if err != nil {
		return nil, postgres.Classify(fmt.Errorf("list projects: %w", err))
	}
	return projects, nil
}

// CreateProject stores a project, and makes the caller its owner, if there is a caller. It returns Conflict for a slug that is
// taken.
func (s Store) CreateProject(ctx context.Context, slug string, settings project.Settings) (p project.Project, err error) {
	const insert = `
		INSERT INTO auth.projects AS p (slug, name, time_zone, currency, week_start, max_event_age_days, events_per_second)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		RETURNING ` + projectColumns
	err = postgres.InTx(ctx, s.Pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		if err := s.lockAccounts(ctx, tx, uuid.Nil); err != nil {
			return err
		}
		if err := checkZone(ctx, tx, settings.TimeZone); err != nil {
			return err
		}
		p, err = scanProject(tx.QueryRow(ctx, insert, slug, settings.Name, settings.TimeZone, settings.Currency, settings.WeekStart,
			settings.MaxEventAgeDays, settings.EventsPerSecond))
		if _, taken := postgres.IsCode(err, postgres.UniqueViolation); taken {
			return errs.New(errs.Conflict, project.SlugTaken, "There is a project with this name already.",
				errs.Field{Pointer: "/slug", Code: project.SlugTaken, Detail: "Choose another name."}).Because(err)
		}
		if err != nil {
			return fmt.Errorf("insert a project: %w", err)
		}
		if err := audit.Record(ctx, tx, audit.Entry{Action: projectCreated, Project: p.ID, Subject: projectSubject(slug), Details: differences(project.Settings{}, settings)}); err != nil {
			return err
		}
		if s.caller.Subject == "" {
			return nil
		}
		owner, err := uuid.Parse(s.caller.Subject)
		if err != nil {
			return fmt.Errorf("the subject of a caller: %w", err)
		}
		p.Role = authn.Owner
		return setMember(ctx, tx, p.ID, owner, authn.Owner)
	})
	if err != nil {
		return project.Project{}, postgres.Classify(err)
	}
	return p, nil
}

// ChangeProject stores what change makes of the settings of a project. A change that changes nothing keeps the version. It
// returns NotFound for an unknown project. Another time zone is what the aggregator then counts the project by, in steps.
func (s Store) ChangeProject(
	ctx context.Context, slug string, change func(project.Project) (project.Settings, error),
) (p project.Project, err error) {
	const find = `SELECT ` + projectColumns + ` FROM auth.projects p WHERE slug = $1 FOR UPDATE`
	const update = `
		UPDATE auth.projects p
		SET name = $2, time_zone = $3, currency = $4, week_start = $5, max_event_age_days = $6, events_per_second = $7,
		    archived_at = CASE WHEN $8 THEN coalesce(archived_at, now()) END,
		    version = version + 1, updated_at = now()
		WHERE id = $1
		  AND (name, time_zone, currency, week_start, max_event_age_days, events_per_second, archived_at IS NOT NULL)
		      IS DISTINCT FROM ($2, $3, $4, $5::smallint, $6::integer, $7::integer, $8::boolean)
		RETURNING ` + projectColumns
	err = postgres.InTx(ctx, s.Pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		if err := s.lockAccounts(ctx, tx, uuid.Nil); err != nil {
			return err
		}
		if p, err = scanProject(tx.QueryRow(ctx, find, slug)); err != nil {
			return fmt.Errorf("lock a project: %w", err)
		}
		next, err := change(p)
		if err != nil {
			return err
		}
		if next.TimeZone != p.TimeZone {
			if err := checkZone(ctx, tx, next.TimeZone); err != nil {
				return err
			}
		}
		changed, err := scanProject(tx.QueryRow(ctx, update, p.ID, next.Name, next.TimeZone, next.Currency, next.WeekStart, next.MaxEventAgeDays, next.EventsPerSecond, next.Archived))
		switch {
		case err == nil:
			details := differences(p.Settings, changed.Settings)
			p = changed
			return audit.Record(ctx, tx, audit.Entry{Action: projectChanged, Project: p.ID, Subject: projectSubject(slug), Details: details})
		case !errs.Is(postgres.Classify(err), errs.NotFound): // not found: nothing changes
			return fmt.Errorf("change a project: %w", err)
		}
		return nil
	})
	if err != nil {
		err = postgres.Classify(err)
		if errs.Is(err, errs.NotFound) {
			err = errs.New(errs.NotFound, project.UnknownProject, "There is no project with the name "+slug+".").Because(err)
		}
		return project.Project{}, err
	}
	return p, nil
}

// checkZone returns Invalid for a time zone that Postgres does not know: it computes days, too.
func checkZone(ctx context.Context, tx pgx.Tx, zone string) error {
	const query = `SELECT EXISTS (SELECT FROM pg_timezone_names WHERE name = $1)`
	var known bool
	if err := tx.QueryRow(ctx, query, zone).Scan(&known); err != nil {
		return fmt.Errorf("look for a time zone: %w", err)
	}
	if !known {
		return errs.New(errs.Invalid, "validation_failed", "The project cannot be like this.",
			errs.Field{Pointer: "/time_zone", Code: "unknown_time_zone", Detail: "The database does not know this time zone."})
	}
	return nil
}
