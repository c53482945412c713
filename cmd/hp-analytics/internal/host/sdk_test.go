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
		node := exec.CommandContext(t.Context(), "node", library+".mjs")
		node.Dir = dir
		node.Env = append(os.Environ(), "API_URL="+gateway, "API_KEY="+strings.TrimPrefix(s.key, "Bearer "))
		if output, err := node.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", library, err, output)
		}
		if lost.Load() == before {
			t.Errorf("%s: no answer was lost", library)
		}
		s.send(http.MethodPost, "/events?wait=aggregated", s.key, `{"type":"Last","user_id":"last"}`)
		times := float64(i + 1)
		counts := map[any]any{}
		for _, item := range s.send(http.MethodGet, "/analytics/events", s.admin, "")["items"].([]any) {
			counts[item.(map[string]any)["type"]] = item.(map[string]any)["events"]
		}
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
