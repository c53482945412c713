package doctor

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// reconcileEvery is how often the numbers should be recounted.
const reconcileEvery = 7 * 24 * time.Hour

// lastReconcile looks at the newest result of each project that has numbers.
func lastReconcile(ctx context.Context, s *Site) ([]Finding, error) {
	const query = `
		SELECT p.slug, now() - r.finished_at, r.differences, r.rows
		FROM auth.projects AS p LEFT JOIN LATERAL (
			SELECT * FROM stats.reconciles WHERE project = p.id ORDER BY id DESC LIMIT 1
		) AS r ON true
		WHERE EXISTS (SELECT FROM stats.daily_stats WHERE project = p.id) OR r.id IS NOT NULL
		ORDER BY p.slug`
	rows, _ := s.Data.Query(ctx, query) // ForEachRow returns its error
	var findings []Finding
	var projects int
	var slug string
	var age *time.Duration
	var differences *int
	var counted *int64
	_, err := pgx.ForEachRow(rows, []any{&slug, &age, &differences, &counted}, func() error {
		projects++
		switch {
		case age == nil:
			findings = append(findings, warning("hp-analytics reconcile (every night, from cron)", "%s: its numbers were never recounted", slug))
		case *differences > 0:
			findings = append(findings, problem("hp-analytics reconcile names the days; then hp-analytics rebuild --from DAY --to DAY --project "+slug,
				"%s: the last reconcile, %s ago, found %d differences", slug, age.Round(time.Minute), *differences))
		case *age > reconcileEvery:
			findings = append(findings, warning("hp-analytics reconcile (every night, from cron)", "%s: its numbers were last recounted %s ago", slug, age.Round(time.Hour)))
		default:
			findings = append(findings, fine("%s: recounted %s ago from %d raw rows without a difference", slug, age.Round(time.Minute), *counted))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return orFine(findings, "no project has numbers yet")
}

// rebuildLong is from when on a rebuild that is not finished is taken for an interrupted one.
const rebuildLong = 24 * time.Hour

func rebuilds(ctx context.Context, s *Site) ([]Finding, error) {
	const query = `
		SELECT r.project, r.from_day, r.to_day, r.started_at FROM stats.rebuilds AS r
		WHERE r.finished_at IS NULL AND r.started_at < now() - $1::interval
		ORDER BY r.id`
	rows, _ := s.Data.Query(ctx, query, rebuildLong) // ForEachRow returns its error
	var findings []Finding
	var project int16
	var from, to, begun time.Time
	_, err := pgx.ForEachRow(rows, []any{&project, &from, &to, &begun}, func() error {
		findings = append(findings, warning("run the same hp-analytics rebuild again with --restart",
			"the rebuild of %s to %s in project %d, begun %s, is not finished", from.Format(time.DateOnly), to.Format(time.DateOnly), project, begun.UTC().Format(time.RFC3339)))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return orFine(findings, "no rebuild was interrupted")
}
