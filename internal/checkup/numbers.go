package checkup

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/quantity"
)

// reconcileEvery is how often the numbers should be recounted.
const reconcileEvery = 7 * 24 * time.Hour

// lastReconcile looks at the newest result of all days of each project that has numbers. One of some days (--from, --to) says nothing
// about the others.
func lastReconcile(ctx context.Context, s *Site) ([]Finding, error) {
	const query = `
		SELECT p.slug, now() - r.finished_at, r.differences, r.rows
		FROM auth.projects AS p LEFT JOIN LATERAL (
			SELECT * FROM stats.reconciles WHERE project = p.id AND from_day IS NULL AND to_day IS NULL ORDER BY id DESC LIMIT 1
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
			findings = append(findings, Warn("hp-analytics reconcile (every night, from cron)", "%s: its numbers were never recounted as a whole", slug))
		case *differences > 0:
			findings = append(findings, Wrong("hp-analytics reconcile names the days; then hp-analytics rebuild --from DAY --to DAY --project "+slug+" and hp-analytics reconcile",
				"%s: the last reconcile of all days, %s ago, found %s", slug, age.Round(time.Minute), quantity.Of(*differences, "difference")))
		case *age > reconcileEvery:
			findings = append(findings, Warn("hp-analytics reconcile (every night, from cron)", "%s: its numbers were last recounted as a whole %s ago", slug, age.Round(time.Hour)))
		default:
			findings = append(findings, Fine("%s: recounted %s ago from %s without a difference", slug, age.Round(time.Minute), quantity.Of(*counted, "raw row")))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return OrFine(findings, "no project has numbers yet")
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
		findings = append(findings, Warn("run the same hp-analytics rebuild again with --restart",
			"the rebuild of %s to %s in project %d, begun %s, is not finished", from.Format(time.DateOnly), to.Format(time.DateOnly), project, begun.UTC().Format(time.RFC3339)))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return OrFine(findings, "no rebuild was interrupted")
}

// workLong is how long a change of a time zone or an erasure may take.
const workLong = 24 * time.Hour

// startLong is how long a change of a time zone may wait for its first step.
const startLong = 10 * time.Minute

// zoneChanges looks for changes of time zones that are not finished: until then, older days are those of the zone before.
func zoneChanges(ctx context.Context, s *Site) ([]Finding, error) {
	const query = `
		SELECT p.slug, p.time_zone, coalesce(c.days_done, 0), coalesce(c.days_total, 0), now() - coalesce(c.started_at, p.updated_at), coalesce(c.failure, '')
		FROM auth.projects AS p
		LEFT JOIN stats.zone_changes AS c ON c.project = p.id AND c.finished_at IS NULL
		WHERE c.project IS NOT NULL
		   OR p.time_zone <> (SELECT time_zone FROM stats.zones WHERE project = p.id ORDER BY since DESC LIMIT 1)
		ORDER BY p.slug`
	rows, _ := s.Data.Query(ctx, query) // ForEachRow returns its error
	var findings []Finding
	var slug, zone, failure string
	var done, total int
	var age time.Duration
	_, err := pgx.ForEachRow(rows, []any{&slug, &zone, &done, &total, &age, &failure}, func() error {
		const do = "look at the log of the aggregator; docs/troubleshooting.md, A change of a time zone does not finish"
		age = age.Round(time.Second)
		state := fmt.Sprintf("%s: %d of %s moved to %s in %s", slug, done, quantity.Of(total, "day"), zone, age)
		switch {
		case failure != "":
			findings = append(findings, Warn(do, "%s; the last step failed: %s", state, failure))
		case age >= workLong || done == 0 && age >= startLong:
			findings = append(findings, Warn(do, "%s", state))
		default:
			findings = append(findings, Fine("%s", state))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return OrFine(findings, "no change of a time zone is open")
}

// erasures looks for requests to forget a user that are not done.
func erasures(ctx context.Context, s *Site) ([]Finding, error) {
	const query = `
		SELECT count(*), count(*) FILTER (WHERE held_by > 0), count(*) FILTER (WHERE failing), coalesce(now() - min(requested_at), interval '0')
		FROM ingest.open_erasures`
	var open, held, failing int
	var age time.Duration
	if err := s.Data.QueryRow(ctx, query).Scan(&open, &held, &failing, &age); err != nil {
		return nil, err
	}
	age = age.Round(time.Second)
	switch {
	case held > 0:
		return One(Warn("hp-analytics batches list; repair these batches, or release them", "%s not done, held up by batches that cannot be folded: %d, the oldest asked for %s ago", quantity.Of(open, "erasure"), held, age))
	case failing > 0:
		return One(Warn("SELECT id, last_error FROM ingest.erasures WHERE state <> 'done'", "%s not done, failed and tried again: %d, the oldest asked for %s ago", quantity.Of(open, "erasure"), failing, age))
	case age >= workLong:
		return One(Warn("look at the log of the aggregator for the erasure", "%s not done, the oldest asked for %s ago", quantity.Of(open, "erasure"), age))
	case open > 0:
		return One(Fine("%s not done, the oldest asked for %s ago", quantity.Of(open, "erasure"), age))
	}
	return One(Fine("no erasure is open"))
}
