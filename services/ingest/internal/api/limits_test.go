package api_test

import (
	"testing"

	"github.com/hp-analytics/hp-analytics/internal/openapi/openapitest"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// TestBodyLimits checks that the handlers, which limit bodies by themselves, keep to the limits of the contract.
func TestBodyLimits(t *testing.T) {
	t.Parallel()
	for operation, limit := range map[string]int64{
		"createEvent":      event.MaxBytes,
		"createPurchase":   event.MaxBytes,
		"createEventsBulk": event.MaxBatchBytes,
		"sendCloudEvents":  event.MaxBatchBytes,
		"sendOTLPLogs":     event.MaxBatchBytes,
	} {
		if documented := openapitest.MaxBody(t, operation); documented != limit {
			t.Errorf("%s: x-max-bytes is %d, the handler takes %d", operation, documented, limit)
		}
	}
}
