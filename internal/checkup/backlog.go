package checkup

import (
	"context"
	"fmt"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/quantity"
)

const (
	pendingOld  = time.Minute // as of PROGRESS_DEADLINE
	pendingLate = 10 * time.Minute
	deadMany    = 50_000 // dead rows
	indexLarge  = 1 << 20
	// segmentsMany is the number of unmerged segments of a day from which on merges are behind. The aggregator merges 32 within seconds.
	segmentsMany = 1000
	entryLarge   = 200 // bytes of the index of pending batches for each of them
)

func pendingBatches(ctx context.Context, s *Site) ([]Finding, error) {
	const query = `
		SELECT count(*), coalesce(sum(rows), 0)::bigint, coalesce(now() - min(received_at), interval '0')
		FROM ingest.batches WHERE aggregated_at IS NULL AND failed_at IS NULL`
	var batches, rows int64
	var age time.Duration
	if err := s.Data.QueryRow(ctx, query).Scan(&batches, &rows, &age); err != nil {
		return nil, err
	}
	age = age.Round(time.Second)
	state := fmt.Sprintf("%s with %s pending, the oldest for %s", quantity.Of(batches, "batch"), quantity.Of(rows, "row"), age)
	const do = "look at the log and /ready of the aggregator; start more of it (AGGREGATOR_CONCURRENCY, replicas) if it is busy"
	switch {
	case age >= pendingLate:
		return One(Wrong(do, "%s: the numbers are that old", state))
	case age >= pendingOld:
		return One(Warn(do, "%s", state))
	}
	if batches == 0 {
		return One(Fine("no batch is pending"))
	}
	return One(Fine("%s", state))
}

func failedBatches(ctx context.Context, s *Site) ([]Finding, error) {
	const query = `SELECT count(*), coalesce(sum(rows), 0)::bigint FROM ingest.unfolded_batches WHERE failed`
	var batches, rows int64
	if err := s.Data.QueryRow(ctx, query).Scan(&batches, &rows); err != nil {
		return nil, err
	}
	if batches > 0 {
		return One(Wrong("hp-analytics batches list says why; after the repair: hp-analytics batches release --all",
			"%s set aside, because folding fails: %s missing from the numbers", quantity.Of(batches, "batch"), quantity.Of(rows, "row")))
	}
	return One(Fine("no batch is set aside"))
}

// deadRows looks at the table of batches, of which every row is updated once: without vacuum its indexes slow every fold down.
func deadRows(ctx context.Context, s *Site) ([]Finding, error) {
	const query = `
		SELECT n_live_tup, n_dead_tup, pg_relation_size('ingest.batches_pending_idx'),
			(SELECT count(*) FROM ingest.batches WHERE aggregated_at IS NULL AND failed_at IS NULL)
		FROM pg_stat_user_tables WHERE relid = 'ingest.batches'::regclass`
	var live, dead, index, pending int64
	if err := s.Data.QueryRow(ctx, query).Scan(&live, &dead, &index, &pending); err != nil {
		return nil, err
	}
	var findings []Finding
	if dead >= deadMany && dead >= live/5 {
		findings = append(findings, Warn("end long transactions (sessions, above); then VACUUM ingest.batches",
			"ingest.batches has %s beside %d: vacuum does not keep up", quantity.Of(dead, "dead row"), live))
	}
	if index >= indexLarge && index >= entryLarge*pending {
		findings = append(findings, Warn("REINDEX INDEX CONCURRENTLY ingest.batches_pending_idx",
			"the index of pending batches has %s for %s: every fold reads it", Size(float64(index)), quantity.Of(pending, "batch")))
	}
	return OrFine(findings, "ingest.batches has %s beside %d, and %s of index for %s", quantity.Of(dead, "dead row"), live, Size(float64(index)), quantity.Of(pending, "pending batch"))
}

// unmergedSegments looks for days of which a ranking of products reads many small segments.
func unmergedSegments(ctx context.Context, s *Site) ([]Finding, error) {
	const query = `
		SELECT coalesce(sum(n), 0)::bigint, coalesce(max(n), 0)
		FROM (
			SELECT count(*) AS n FROM stats.product_segments WHERE NOT merged GROUP BY project, day
			UNION ALL SELECT count(*) FROM stats.product_revenue_segments WHERE NOT merged GROUP BY project, day, currency
		) AS days`
	var all, most int64
	if err := s.Data.QueryRow(ctx, query).Scan(&all, &most); err != nil {
		return nil, err
	}
	if most >= segmentsMany {
		return One(Warn("look for \"merge of segments\" in the log of the aggregator",
			"%d segments of rollups are not merged, %d of them of one day: rankings of products are slow", all, most))
	}
	return One(Fine("%d segments of rollups are not merged", all))
}
