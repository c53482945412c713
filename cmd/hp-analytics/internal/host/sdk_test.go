package host_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// installSDKs installs the libraries of other systems, from the lock file, and returns where they are.
func installSDKs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/sdk")); err != nil {
		t.Fatal(err)
	}
	install := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = dir
	if output, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v (make test-deps installs npm)\n%s", err, output)
	}
	return dir
}

// forgetful is a gateway to a platform that loses the answers of some requests, after the platform has stored what they hold.
func forgetful(t *testing.T, platform string) (gateway string, lost *atomic.Int64) {
	t.Helper()
	target, err := url.Parse(platform)
	if err != nil {
		t.Fatal(err)
	}
	lost = new(atomic.Int64)
	var requests atomic.Int64
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ModifyResponse = func(answer *http.Response) error {
		if requests.Add(1)%3 == 1 {
			lost.Add(1)
			return fmt.Errorf("the answer %s is lost", answer.Status)
		}
		return nil
	}
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	return server.URL, lost
}

// runSDK runs the program of a library, which sends to a gateway.
func (s shop) runSDK(dir, library, gateway string) {
	s.t.Helper()
	node := exec.CommandContext(s.t.Context(), "node", library+".mjs")
	node.Dir = dir
	node.Env = append(os.Environ(), "API_URL="+gateway, "API_KEY="+strings.TrimPrefix(s.key, "Bearer "))
	if output, err := node.CombinedOutput(); err != nil {
		s.t.Fatalf("%s: %v\n%s", library, err, output)
	}
}

// countsByType returns how many events of each type reports count.
func (s shop) countsByType() map[any]any {
	s.t.Helper()
	counts := map[any]any{}
	for _, item := range s.send(http.MethodGet, "/analytics/events", s.admin, "")["items"].([]any) {
		counts[item.(map[string]any)["type"]] = item.(map[string]any)["events"]
	}
	return counts
}

// The libraries of Segment and RudderStack send everything once, also when answers are lost and they send again, and reports count it
// so.
func TestSegmentLibraries(t *testing.T) {
	t.Parallel()
	s := newShop(startPlatform(t))
	s.create("TEA 1/2")
	dir := installSDKs(t)
	gateway, lost := forgetful(t, s.url)
	for i, library := range []string{"segment", "rudder"} {
		before := lost.Load()
		s.runSDK(dir, library, gateway)
		if lost.Load() == before {
			t.Errorf("%s: no answer was lost", library)
		}
		s.send(http.MethodPost, "/events?wait=aggregated", s.key, `{"type":"Last","user_id":"last"}`)
		times := float64(i + 1)
		counts := s.countsByType()
		for name, want := range map[string]float64{"Song Played": 20, "view": 1, "identify": 1, "page": 1, "group": 1} {
			if counts[name] != want*times {
				t.Errorf("after %s there are %v events %s, want %v", library, counts[name], name, want*times)
			}
		}
		totals := s.send(http.MethodGet, "/analytics/overview", s.admin, "")["totals"].(map[string]any)
		revenue := totals["revenue"].([]any)[0].(map[string]any)
		if totals["purchases"] != times || revenue["gross_minor"] != 900*times || revenue["units"] != 2*times {
			t.Errorf("after %s the totals are %v", library, totals)
		}
	}
}

// PostHog's library for Node does so, too.
func TestPostHogLibrary(t *testing.T) {
	t.Parallel()
	s := newShop(startPlatform(t))
	s.create("TEA 1/2")
	dir := installSDKs(t)
	gateway, lost := forgetful(t, s.url)
	s.runSDK(dir, "posthog", gateway)
	if lost.Load() < 2 {
		t.Errorf("%d answers were lost", lost.Load())
	}
	s.send(http.MethodPost, "/events?wait=aggregated", s.key, `{"type":"Last","user_id":"last"}`)
	counts := s.countsByType()
	for name, want := range map[string]float64{"Song Played": 20, "view": 1, "identify": 2, "page": 1, "group": 1, "Last": 1} {
		if counts[name] != want {
			t.Errorf("there are %v events %s, want %v", counts[name], name, want)
		}
	}
	if len(counts) != 6 {
		t.Errorf("there are other events: %v", counts)
	}
	// The visitor who looked at a product is the user, as is the phone.
	summary := s.send(http.MethodGet, "/analytics/users/posthog-17/summary", s.admin, "")["totals"].(map[string]any)
	if summary["views"] != 1.0 {
		t.Errorf("the user's totals are %v", summary)
	}
}

// The CloudEvents library for Node does so, in each of its modes.
func TestCloudEventsLibrary(t *testing.T) {
	t.Parallel()
	s := newShop(startPlatform(t))
	s.create("TEA 1/2")
	dir := installSDKs(t)
	gateway, lost := forgetful(t, s.url)
	s.runSDK(dir, "cloudevents", gateway)
	if lost.Load() < 2 {
		t.Errorf("%d answers were lost", lost.Load())
	}
	s.send(http.MethodPost, "/events?wait=aggregated", s.key, `{"type":"Last","user_id":"last"}`)
	if diff := cmp.Diff(map[any]any{"Song Played": 20.0, "view": 1.0, "Last": 1.0}, s.countsByType()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	summary := s.send(http.MethodGet, "/analytics/users/cloud-17/summary", s.admin, "")["totals"].(map[string]any)
	if summary["views"] != 1.0 {
		t.Errorf("the user's totals are %v", summary)
	}
}
