package doctor

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/checkup"
)

const (
	connectionsFew  = 0.80 // of the connections that the services may open, in use
	connectionsGone = 0.95
)

// connections compares max_connections with what the processes that are connected may open, at least one of each service.
func connections(ctx context.Context, s *Site) ([]Finding, error) {
	processes := map[string]int32{}
	for application := range s.Pools {
		processes[application] = 1
	}
	const seen = `
		SELECT application_name, count(DISTINCT client_addr) FROM pg_stat_activity
		WHERE backend_type = 'client backend' AND client_addr IS NOT NULL AND application_name = ANY ($1)
		GROUP BY application_name`
	rows, _ := s.Login.Query(ctx, seen, slices.Collect(maps.Keys(s.Pools))) // ForEachRow returns its error
	var application string
	var n int32
	if _, err := pgx.ForEachRow(rows, []any{&application, &n}, func() error {
		processes[application] = max(n, 1)
		return nil
	}); err != nil {
		return nil, err
	}
	var wanted int32
	for name, count := range processes {
		wanted += count * s.Pools[name]
	}
	const query = `
		SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,
			(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')`
	var allowed, used int32
	if err := s.Login.QueryRow(ctx, query).Scan(&allowed, &used); err != nil {
		return nil, err
	}
	return checkup.One(judgeConnections(allowed, used, wanted))
}

func judgeConnections(allowed, used, wanted int32) Finding {
	state := fmt.Sprintf("%d of %d connections are in use; the pools of the services may open %d", used, allowed, wanted)
	const more = "raise max_connections and restart Postgres, or lower DATABASE_MAX_CONNS"
	switch share := float64(used) / float64(allowed); {
	case share >= connectionsGone:
		return checkup.Wrong("end sessions that nobody needs (SELECT application_name, count(*) FROM pg_stat_activity GROUP BY 1); then "+more, "%s", state)
	case wanted > allowed:
		return checkup.Wrong(more, "%s: under load some services get none", state)
	case share >= connectionsFew:
		return checkup.Warn(more, "%s", state)
	}
	return checkup.Fine("%s", state)
}
