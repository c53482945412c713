package reconcile

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/services/aggregator/reconcile/internal/postgres"
)

// checkReferences checks what a foreign key would guarantee: the product of every raw row of a span is in the catalog.
func (r *run) checkReferences(ctx context.Context, span postgres.Span) error {
	return r.snapshot.UnknownProducts(ctx, span, func(u postgres.UnknownProduct) error {
		return r.differ(u.Table, u.Day, "", "%d rows are about product %s, which is not in the catalog", u.Rows, u.Product)
	})
}

// checkReceipts checks that as many raw rows exist as the receipts say.
func (r *run) checkReceipts(ctx context.Context) error {
	return r.snapshot.IncompleteBatches(ctx, r.options.From, r.options.To, func(batch uuid.UUID, promised, present int64) error {
		return r.differ("ingest.batches", time.Time{}, batch.String(), "the receipt says %d rows, there are %d", promised, present)
	})
}
