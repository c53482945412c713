package host_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/hp-analytics/hp-analytics/internal/openapi/openapitest"
)

// TestAPublicKeyOnlySends calls every operation of the contract with a public key: those for pages take it, those that ignore credentials
// do that, and all others refuse it, also those that need none.
func TestAPublicKeyOnlySends(t *testing.T) {
	t.Parallel()
	p := startPlatform(t)
	callers := map[string]caller{}
	for _, c := range p.callers() {
		callers[c.name] = c
	}
	sends := []string{"sendBeacon", "sendPlausible", "sendPostHog", "sendPostHogEvent", "sendPostHogEventPlain", "sendPostHogPlain", "sendSegment", "sendSegmentBeacon"}
	reached := 0
	for _, request := range openapitest.Requests(t) {
		want := "403"
		if ignored := p.verdict(request, callers["malformed"]) == "yes"; ignored || slices.Contains(sends, request.Operation) {
			want = "yes"
		}
		if got := p.verdict(request, callers["public key"]); got != want {
			t.Errorf("%s with a public key: %s, want %s", request.Operation, got, want)
		}
		if slices.Contains(sends, request.Operation) {
			reached++
		}
	}
	if reached != len(sends) {
		t.Errorf("%d of the operations for pages were called, want %d", reached, len(sends))
	}
	// The methods of documented paths that are not documented answer nothing either.
	for _, path := range []string{"/events", "/orders", "/users/u", "/analytics/overview"} {
		if status, body := p.do(http.MethodOptions, path, callers["public key"].authorization, "", ""); status != http.StatusMethodNotAllowed {
			t.Errorf("OPTIONS %s: %d %s", path, status, body)
		}
	}
}
