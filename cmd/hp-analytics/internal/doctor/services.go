package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/hp-analytics/hp-analytics/internal/checkup"
)

// ready asks the services behind the base URL whether they are ready.
func ready(ctx context.Context, s *Site) ([]Finding, error) {
	if s.URL == "" {
		return nil, nil
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(s.URL, "/")+"/ready", http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return checkup.One(checkup.Wrong("start the services; look at proxies and firewalls on the way", "%s does not answer: %s", s.URL, errors.Unwrap(err)))
	}
	defer response.Body.Close() //nolint:errcheck // it is only read
	var state struct {
		Checks map[string]string `json:"checks"`
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(&state); err != nil {
		return checkup.One(checkup.Wrong("give --url the address of the platform, with its path if it has one", "%s/ready answers %s, and not as the platform does", s.URL, response.Status))
	}
	var failing []string
	for name, result := range state.Checks {
		if result != "ok" {
			failing = append(failing, fmt.Sprintf("%s is %s", name, result))
		}
	}
	slices.Sort(failing)
	switch {
	case response.StatusCode != http.StatusOK:
		return checkup.One(checkup.Wrong("look at the log for \"readiness check fails\"", "%s is not ready: %s", s.URL, strings.Join(failing, ", ")))
	case len(failing) > 0:
		return checkup.One(checkup.Warn("look at the log for \"readiness check fails\"", "%s is ready, but %s", s.URL, strings.Join(failing, ", ")))
	}
	return checkup.One(checkup.Fine("%s is ready", s.URL))
}
