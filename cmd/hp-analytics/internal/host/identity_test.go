package host_test

import (
	"net/http"
	"testing"
	"time"
)

// TestIdentifiedVisitorsCountOnce follows visitors who turn out to be users, with folds in between. Whoever is identified in the request
// with their first event, or before it, is one user. What a visitor did before stays another one's in the unique users, and is part of what
// the user did in a ranking.
func TestIdentifiedVisitorsCountOnce(t *testing.T) {
	t.Parallel()
	s := newShop(startPlatform(t))
	send := func(path, body string) {
		t.Helper()
		s.send(http.MethodPost, path+"?wait=aggregated", s.key, body)
	}
	unique := func(step int) float64 {
		t.Helper()
		from := time.Now().AddDate(0, 0, -1-step).Format(time.DateOnly) // another range each time: no answer comes from a cache
		totals, _ := s.send(http.MethodGet, "/analytics/overview?from="+from, s.admin, "")["totals"].(map[string]any)
		n, _ := totals["unique_users"].(float64)
		return n
	}
	for i, step := range []struct {
		what, path string
		bodies     []string
		want       float64
	}{
		{"in one request, the visit first", "/events/bulk", []string{`{"events":[{"type":"visit","anonymous_id":"v1"},` +
			`{"type":"identify","anonymous_id":"v1","user_id":"u1"}]}`}, 1},
		{"in one request, the visit last", "/events/bulk", []string{`{"events":[{"type":"identify","anonymous_id":"v2","user_id":"u2"},` +
			`{"type":"visit","anonymous_id":"v2"}]}`}, 2},
		{"in two requests, the visit last", "/events", []string{`{"type":"identify","anonymous_id":"v3","user_id":"u3"}`, `{"type":"visit","anonymous_id":"v3"}`}, 3},
		{"in two requests, the visit first", "/events", []string{`{"type":"visit","anonymous_id":"v4"}`, `{"type":"identify","anonymous_id":"v4","user_id":"u4"}`}, 5},
		{"from then on", "/events", []string{`{"type":"visit","anonymous_id":"v4"}`}, 5},
	} {
		for _, body := range step.bodies {
			send(step.path, body)
		}
		if n := unique(i); n != step.want {
			t.Errorf("%s: %v unique users, want %v", step.what, n, step.want)
		}
	}
	top, _ := s.send(http.MethodGet, "/analytics/users/top?metric=events", s.admin, "")["items"].([]any)
	first, _ := top[0].(map[string]any)
	if len(top) != 4 || first["user_id"] != "u4" || first["value"] != 3.0 {
		t.Errorf("the top users are %v", top)
	}
}
