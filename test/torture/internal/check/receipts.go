package check

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

// Receipt is the answer to GET /events/batches/{id}.
type Receipt struct {
	BatchID      string     `json:"batch_id"`
	Events       int        `json:"events"`
	State        string     `json:"state"`
	ReceivedAt   time.Time  `json:"received_at"`
	AggregatedAt *time.Time `json:"aggregated_at"`
}

// readers is the number of concurrent requests for receipts.
const readers = 8

// receipts compares the receipt of every batch with the raw rows, including batches that no client knows.
func (c *Checker) receipts(ctx context.Context) (batches int, findings []string, err error) {
	rows, err := c.rowsByBatch(ctx)
	if err != nil {
		return 0, nil, err
	}
	for _, batch := range c.Account.Batches {
		if _, ok := rows[batch]; !ok {
			rows[batch] = 0 // it holds only duplicates
		}
	}
	var mu sync.Mutex
	sum, total := 0, 0
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for batch, n := range rows {
		total += n
		group.Go(func() error {
			r, found, err := c.Receipt(ctx, batch)
			if err != nil {
				return fmt.Errorf("read the receipt of %s: %w", batch, err)
			}
			mu.Lock()
			defer mu.Unlock()
			sum += r.Events
			findings = append(findings, verify(batch, r, found, n)...)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return 0, nil, err
	}
	if sum != total {
		findings = append(findings, fmt.Sprintf("receipts tell of %d rows in all, and there are %d", sum, total))
	}
	return len(rows), findings, nil
}

// verify compares a receipt with the number of raw rows of its batch.
func verify(batch string, r Receipt, found bool, rows int) []string {
	var wrong []string
	switch {
	case !found:
		wrong = append(wrong, "there is none")
	default:
		if r.BatchID != batch {
			wrong = append(wrong, "it is that of "+r.BatchID)
		}
		if r.Events != rows {
			wrong = append(wrong, fmt.Sprintf("it tells of %d rows", r.Events))
		}
		if r.State != "aggregated" || r.AggregatedAt == nil {
			wrong = append(wrong, "it is "+r.State)
		} else if r.AggregatedAt.Before(r.ReceivedAt) {
			wrong = append(wrong, "it was aggregated before it was received")
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("receipt of %s, which has %d rows: %s", batch, rows, strings.Join(wrong, ", "))}
}

// rowsByBatch counts the raw rows of all batches: those in ingest.batches, and those that rows name.
func (c *Checker) rowsByBatch(ctx context.Context) (map[string]int, error) {
	const query = `
		SELECT batch::text, sum(n)::int
		FROM (
			SELECT batch, count(*) AS n FROM ingest.events GROUP BY batch
			UNION ALL SELECT batch, sum(lines) FROM ingest.orders GROUP BY batch
			UNION ALL SELECT batch, sum(lines) FROM ingest.refunds GROUP BY batch
			UNION ALL SELECT id, 0 FROM ingest.batches
		) AS counted
		GROUP BY batch`
	rows, err := c.DB.Query(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("count raw rows: %w", err)
	}
	counted := map[string]int{}
	var id string
	var n int
	if _, err := pgx.ForEachRow(rows, []any{&id, &n}, func() error {
		counted[id] = n
		return nil
	}); err != nil {
		return nil, fmt.Errorf("count raw rows: %w", err)
	}
	return counted, nil
}

// reconcile has the platform recount its numbers.
func (c *Checker) reconcile(ctx context.Context) ([]string, error) {
	output, failed, err := c.Reconcile(ctx)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimSpace(output), "\n")
	last := lines[len(lines)-1]
	if !failed && len(lines) == 1 && strings.HasPrefix(last, "Recounted ") && strings.HasSuffix(last, ": 0 differences.") {
		return nil, nil
	}
	findings := []string{"reconcile is not content:"}
	return slices.Concat(findings, lines), nil
}
