package main

import (
	"context"
	"errors"
	"net/http"
	"os/exec"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/test/torture/internal/check"
	"github.com/hp-analytics/hp-analytics/test/torture/internal/deployment"
)

// receipt asks ingest for a receipt.
func (t *trial) receipt(ctx context.Context, batch uuid.UUID) (r check.Receipt, found bool, err error) {
	err = deployment.Call(ctx, http.MethodGet, t.deployment.Ingest.URL()+"/events/batches/"+batch.String(), t.key, "", &r)
	if status, ok := errors.AsType[*deployment.StatusError](err); ok && status.Status == http.StatusNotFound {
		return check.Receipt{}, false, nil
	}
	return r, err == nil, err
}

// reconcile has the platform recount its numbers.
func (t *trial) reconcile(ctx context.Context) (output string, failed bool, err error) {
	printed, err := t.deployment.Command(ctx, "reconcile")
	if _, exited := errors.AsType[*exec.ExitError](err); exited {
		return string(printed), true, nil
	}
	return string(printed), false, err
}
