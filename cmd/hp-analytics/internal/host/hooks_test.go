package host_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"testing"
)

// Webhooks that the libraries of Shopify and Stripe sign count once in reports, however often they come, in any order, and also when answers
// are lost.
func TestHooks(t *testing.T) {
	t.Parallel()
	s := newShop(startPlatform(t))
	s.create("TEA 1/2")
	dir := installSDKs(t)
	gateway, lost := forgetful(t, s.url)
	environ := append(os.Environ(), "API_URL="+gateway)
	for service, secret := range map[string]string{"shopify": "shpss_0123456789abcdef", "stripe": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"} {
		made := s.send(http.MethodPost, "/auth/api-keys", s.admin, fmt.Sprintf(`{"name":"shop","kind":%q,"scopes":["ingest"],"unknown_products":"refuse"}`, service))
		s.send(http.MethodPut, "/auth/api-keys/"+made["id"].(string)+"/signing-secret", s.admin, fmt.Sprintf(`{"secret":%q}`, secret))
		upper := map[string]string{"shopify": "SHOPIFY", "stripe": "STRIPE"}[service]
		environ = append(environ, upper+"_KEY="+made["key"].(string), upper+"_SECRET="+secret)
	}
	node := exec.CommandContext(t.Context(), "node", "hooks.mjs")
	node.Dir, node.Env = dir, environ
	if output, err := node.CombinedOutput(); err != nil {
		t.Fatalf("hooks: %v\n%s", err, output)
	}
	if lost.Load() < 10 {
		t.Errorf("%d answers were lost", lost.Load())
	}
	s.send(http.MethodPost, "/events?wait=aggregated", s.key, `{"type":"Last","user_id":"last"}`)
	totals := s.send(http.MethodGet, "/analytics/overview", s.admin, "")["totals"].(map[string]any)
	if totals["purchases"] != 20.0 {
		t.Errorf("%v purchases, want 20", totals["purchases"])
	}
	want := map[any][4]float64{"EUR": {19000, 20, 4 * 950, 10}, "JPY": {7000, 10, 3 * 200, 10}} // gross, units, refunded, orders
	for _, item := range totals["revenue"].([]any) {
		of := item.(map[string]any)
		got := [4]float64{of["gross_minor"].(float64), of["units"].(float64), of["refunded_minor"].(float64), of["orders"].(float64)}
		if got != want[of["currency"]] {
			t.Errorf("%v: %v, want %v", of["currency"], got, want[of["currency"]])
		}
		delete(want, of["currency"])
	}
	if len(want) > 0 {
		t.Errorf("no revenue in %v: %v", want, totals["revenue"])
	}
}
