package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os/exec"

	"github.com/hp-analytics/hp-analytics/test/torture/internal/check"
)

// receipt reads a receipt from ingest. Like the traffic, it does not use the generated client: what verifies the platform
// shares no code with it.
func (t *trial) receipt(ctx context.Context, batch string) (r check.Receipt, found bool, err error) {
	url := t.platform.ingest.URL() + "/events/batches/" + batch
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return check.Receipt{}, false, fmt.Errorf("read the receipt %s: %w", batch, err)
	}
	request.Header.Set("Authorization", "Bearer "+t.key)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return check.Receipt{}, false, fmt.Errorf("read the receipt %s: %w", batch, err)
	}
	defer response.Body.Close() //nolint:errcheck // it was only read
	switch response.StatusCode {
	case http.StatusNotFound:
		return check.Receipt{}, false, nil
	case http.StatusOK:
	default:
		return check.Receipt{}, false, fmt.Errorf("read the receipt %s: %s", batch, response.Status)
	}
	if err := json.NewDecoder(response.Body).Decode(&r); err != nil {
		return check.Receipt{}, false, fmt.Errorf("read the receipt %s: %w", batch, err)
	}
	return r, true, nil
}

// reconcile has the platform recount its numbers.
func (t *trial) reconcile(ctx context.Context) (output string, failed bool, err error) {
	printed, err := t.platform.Command(ctx, "reconcile")
	if _, exited := errors.AsType[*exec.ExitError](err); exited {
		return string(printed), true, nil
	}
	return string(printed), false, err
}
