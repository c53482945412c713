package reconcile

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// checkReferences checks what a foreign key would guarantee: the product of every raw row of a day is in the catalog.
func (r *run) checkReferences(ctx context.Context, day time.Time) error {
	return r.snapshot.UnknownProducts(ctx, day, func(table string, product uuid.UUID, rows int64) error {
		return r.differ("%s %s: %d rows are about product %s, which is not in the catalog", table, day.Format(time.DateOnly), rows, product)
	})
}

// checkReceipts checks that as many raw rows exist as the receipts say.
func (r *run) checkReceipts(ctx context.Context) error {
	return r.snapshot.IncompleteBatches(ctx, r.options.From, r.options.To, func(batch uuid.UUID, promised, present int64) error {
		return r.differ("ingest.batches %s: the receipt says %d rows, there are %d", batch, promised, present)
	})
}
