package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/internal/stats/zones"
	"github.com/hp-analytics/hp-analytics/services/aggregator/reconcile/internal/recount"
)

// Project is a project whose rollups are recounted.
type Project struct {
	ID   int16
	Slug string
	// Zones tell the days and hours of its rollups.
	Zones localtime.History
	// Unfolded is whether any of its batches is pending or failed.
	Unfolded bool
}

// Projects lists the projects, or the one with a slug.
func (s Snapshot) Projects(ctx context.Context, slug string) ([]Project, error) {
	const query = `
		SELECT p.id, p.slug, EXISTS (SELECT FROM ingest.unfolded_batches AS b WHERE b.project = p.id)
		FROM auth.projects AS p
		WHERE $1 IN ('', p.slug)
		ORDER BY p.slug`
	rows, _ := s.tx.Query(ctx, query, slug) // CollectRows returns its error
	projects, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p Project, err error) {
		err = row.Scan(&p.ID, &p.Slug, &p.Unfolded)
		return p, err
	})
	if err != nil {
		return nil, fmt.Errorf("list projects: %w", err)
	}
	for i := range projects {
		if projects[i].Zones, err = zones.Of(ctx, s.tx, projects[i].ID); err != nil {
			return nil, err
		}
	}
	return projects, nil
}

// zoneAt is the expression of the zone that holds at a time, of arrays of the names of zones and of when each but the first begins.
func zoneAt(at, names, starts string) string {
	return "(" + names + "::text[])[1 + width_bucket(" + at + ", " + starts + "::timestamptz[])]"
}

// zoneNames returns the names of zones, and when each but the first begins.
func zoneNames(eras localtime.History) (names []string, starts []time.Time) {
	starts = []time.Time{}
	for i, era := range eras {
		names = append(names, era.Zone.String())
		if i > 0 {
			starts = append(starts, era.Since)
		}
	}
	return names, starts
}

// Day is a day of a project that can have raw rows or has rollups or both.
type Day struct {
	Day     time.Time // midnight in UTC stands for the date
	Dropped bool      // raw events of it were dropped
	// Rows is how many the rollups say that it has. It may be wrong: use it only to estimate.
	Rows int64
}

// Span is a range of days of a project, or a part of what they have.
type Span struct {
	Project  Project
	Day, End time.Time // the dates of the first day, and of that after the last
	From, To time.Time // when these days begin
	Part     recount.Part
}

// arguments are those of statements about the rows of a span from $2 up to, but not including, $3.
func (s Span) arguments(from, to any) []any {
	arguments := []any{s.Project.ID, from, to}
	if !s.Part.Whole() && !s.Part.Totals() {
		arguments = append(arguments, s.Part.Of, s.Part.N)
	}
	return arguments
}

// rawOfSpan is the condition of the raw rows of a span.
const rawOfSpan = `raw.project = $1 AND raw.ts >= $2 AND raw.ts < $3`

// ofPart continues a condition with that of rows whose user or product is of the part.
func (s Span) ofPart(user, product string) string {
	if s.Part.Whole() || s.Part.Totals() {
		return ""
	}
	return ` AND (` + user + ` % $4::bigint = $5::bigint OR ` + product + ` % $4::bigint = $5::bigint)`
}

// ofSubject continues a condition with that of rollup rows whose subject is of the part.
func (s Span) ofSubject(subject recount.Subject) string {
	if s.Part.Whole() || s.Part.Totals() {
		return ""
	}
	return ` AND ` + string(subject) + ` % $4::bigint = $5::bigint`
}

// isFolded is whether the batch of a raw row is folded.
func (s Span) isFolded() string {
	if !s.Project.Unfolded {
		return "true"
	}
	return `NOT EXISTS (SELECT FROM ingest.unfolded_batches AS b WHERE b.project = raw.project AND b.id = raw.batch)`
}

// Days lists the days of a project in a range, oldest first; nil means that the range has no bound there. Days of events are
// those of the partitions, so a project may have nothing on some of them.
func (s Snapshot) Days(ctx context.Context, p Project, from, to *time.Time) ([]Day, error) {
	date := func(column string) string {
		return `(` + column + ` AT TIME ZONE ` + zoneAt(column, "$2", "$5") + `)::date`
	}
	query := `
		WITH kept AS (
			SELECT day::timestamp AT TIME ZONE 'UTC' AS begins, (day + 1)::timestamp AT TIME ZONE 'UTC' AS ends, dropped
			FROM (SELECT week + n AS day, false AS dropped FROM ingest.partitions, generate_series(0, 6) AS n UNION ALL SELECT day, true FROM ingest.dropped_days WHERE project = $1) AS each
		), moments AS ( -- of all days of the project that a partition has a part of
			SELECT at, dropped FROM kept, unnest(ARRAY[begins, ends - interval '1 microsecond']) AS at
			UNION ALL
			SELECT at, dropped FROM kept, unnest($5::timestamptz[]) AS since, unnest(ARRAY[since, since - interval '1 microsecond']) AS at
			WHERE at >= begins AND at < ends
		), local AS (
			SELECT ` + date("at") + ` AS day FROM moments
			UNION SELECT ` + date("ts") + ` FROM ingest.orders WHERE project = $1
			UNION SELECT ` + date("ts") + ` FROM ingest.refunds WHERE project = $1
		), stored AS (
			SELECT day FROM stats.daily_stats WHERE project = $1
			UNION SELECT day FROM stats.product_daily_stats WHERE project = $1
			UNION SELECT day FROM stats.user_daily_stats WHERE project = $1
			UNION SELECT day FROM stats.name_daily_stats WHERE project = $1
			UNION SELECT day FROM stats.product_name_daily_stats WHERE project = $1
			UNION SELECT day FROM stats.daily_revenue WHERE project = $1
			UNION SELECT day FROM stats.product_daily_revenue WHERE project = $1
			UNION SELECT day FROM stats.user_daily_revenue WHERE project = $1
			UNION SELECT day FROM stats.daily_users WHERE project = $1
			UNION SELECT day FROM stats.product_daily_users WHERE project = $1
			UNION SELECT day FROM stats.name_daily_users WHERE project = $1
			UNION SELECT day FROM stats.daily_user_sets WHERE project = $1
			UNION SELECT ` + date("hour") + ` FROM (
				SELECT hour FROM stats.hourly_stats WHERE project = $1
				UNION SELECT hour FROM stats.product_hourly_stats WHERE project = $1
				UNION SELECT hour FROM stats.name_hourly_stats WHERE project = $1
				UNION SELECT hour FROM stats.hourly_revenue WHERE project = $1
				UNION SELECT hour FROM stats.product_hourly_revenue WHERE project = $1
			) AS hours
		), dropped AS (
			SELECT ` + date("at") + ` AS day FROM moments WHERE dropped
		)
		SELECT every.day, every.day IN (SELECT day FROM dropped), coalesce(total.events + total.units, 0)
		FROM (SELECT day FROM local UNION SELECT day FROM stored) AS every
		LEFT JOIN stats.daily AS total ON total.project = $1 AND total.day = every.day
		WHERE ($3::date IS NULL OR every.day >= $3) AND ($4::date IS NULL OR every.day <= $4)
			AND (every.day IN (SELECT day FROM stored) OR every.day NOT IN (SELECT day FROM dropped))
		ORDER BY every.day`
	names, starts := zoneNames(p.Zones)
	rows, err := s.tx.Query(ctx, query, p.ID, names, from, to, starts)
	if err != nil {
		return nil, fmt.Errorf("list days: %w", err)
	}
	days, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Day])
	if err != nil {
		return nil, fmt.Errorf("list days: %w", err)
	}
	return days, nil
}
