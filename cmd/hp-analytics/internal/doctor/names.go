package doctor

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/checkup"
	"github.com/hp-analytics/hp-analytics/internal/stats"
)

// eventNames looks for projects that have nearly all the names of events that they can have. The most frequent cause is a name that holds
// an id, so that every event has another one.
func eventNames(ctx context.Context, s *Site) ([]Finding, error) {
	const query = `
		SELECT p.slug, used.names FROM auth.projects AS p
		CROSS JOIN LATERAL (SELECT count(*) AS names FROM ingest.names WHERE project = p.id AND n >= $1) AS used
		WHERE used.names > $2 ORDER BY p.slug`
	rows, _ := s.Data.Query(ctx, query, stats.FirstName, stats.NearlyFull) // ForEachRow returns its error
	const do = "GET /analytics/events lists the names; let the clients put what varies, such as an id, into properties"
	var findings []Finding
	var slug string
	var names int
	_, err := pgx.ForEachRow(rows, []any{&slug, &names}, func() error {
		if names >= stats.MaxNames {
			findings = append(findings, checkup.Wrong(do, "%s: all %d names of events are used: events with new ones are refused", slug, stats.MaxNames))
		} else {
			findings = append(findings, checkup.Warn(do, "%s: %d of %d names of events are used; events with new ones are refused when all are", slug, names, stats.MaxNames))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return checkup.OrFine(findings, "no project is short of names of events")
}
