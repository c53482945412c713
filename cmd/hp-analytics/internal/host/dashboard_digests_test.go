package host_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
)

// TestDashboardDigests makes a digest to a webhook, whose secret is shown once, and sends a test of it, which arrives. It changes one by e-mail
// while somebody else does, and deletes one.
func TestDashboardDigests(t *testing.T) {
	t.Parallel()
	s := newShop(startPlatformOn(t, string(redistest.New(t).URL), "WEBHOOK_ALLOW_NETWORKS=127.0.0.0/8"))
	got := make(chan map[string]any, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var body map[string]any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || r.Header.Get("Webhook-Signature") == "" {
			t.Errorf("a request with the signature %q: %v", r.Header.Get("Webhook-Signature"), err)
		}
		got <- body
	}))
	t.Cleanup(receiver.Close)
	b := newTab(t, s.url)
	b.open("/app/digests")
	b.signIn("owner@example.com")
	b.sees("There are no digests yet.")

	b.follow("New digest")
	b.types(`dialog [name=name]`, "Warehouse")
	b.presses(`dialog [value=webhook]`)
	b.types(`dialog [name=url]`, "http://elsewhere")
	b.chooses(`dialog [name=every]`, "day")
	b.chooses(`dialog [name=hour]`, "2")
	b.types(`dialog [name=url]`, receiver.URL+"/hook")
	b.accessible("new digest")
	b.presses(`dialog button.primary`)
	b.sees("Copy the secret now.")
	secret := b.value(`document.querySelector("dialog [name=secret]").value`)
	if !strings.HasPrefix(secret, "whsec_") || b.copied("Copy the secret") != secret {
		t.Errorf("the secret is %s", secret)
	}
	b.follow("Done")
	b.until(closed + ` && ` + row("Digests", "Warehouse") + `?.slice(1, 4).join("; ") === "every day at 02:00; ` + receiver.URL + `/hook; Nothing was sent yet."`)
	b.presses(`[aria-label="Send a test of Warehouse"]`)
	if body := <-got; body["type"] != "digest.test" || body["digest"].(map[string]any)["name"] != "Warehouse" {
		t.Errorf("the webhook gets %v", body)
	}
	b.until(row("Digests", "Warehouse") + `?.[3].match(/^Test of .*sent/)`)

	b.follow("New digest")
	b.types(`dialog [name=name]`, "Week")
	b.types(`dialog [name=recipients]`, "ada")
	b.presses(`dialog button.primary`)
	b.until(`document.querySelector("dialog [name=recipients]").getAttribute("aria-invalid") === "true"`)
	b.types(`dialog [name=recipients]`, "ada@example.com\ngrace@example.com")
	b.presses(`dialog button.primary`)
	b.until(closed + ` && ` + row("Digests", "Week") + `?.slice(1, 3).join("; ") === "every week at 08:00; ada@example.com, grace@example.com"`)

	// Both change the name; the hour is theirs only, and that it is off is mine only.
	b.presses(`[aria-label="Edit Week"]`)
	b.types(`dialog [name=name]`, "Mine")
	b.presses(`dialog [name=enabled]`)
	digest := func(name string) map[string]any {
		for _, d := range s.send(http.MethodGet, "/digests", s.admin, "")["items"].([]any) {
			if d := d.(map[string]any); d["name"] == name {
				return d
			}
		}
		return nil
	}
	const theirs = `{"name":"Theirs","every":"week","hour":9,"recipients":["ada@example.com","grace@example.com"],"enabled":true}`
	s.send(http.MethodPut, "/digests/"+digest("Week")["id"].(string), s.admin, theirs)
	b.presses(`dialog button.primary`)
	b.sees("Somebody else changed this digest")
	conflict := `[...document.querySelectorAll("[aria-label=Conflict] tbody tr")].map(row => [...row.cells].map(cell => cell.textContent).join("|")).join("; ")`
	if got, want := b.value(conflict), "Name|Week|Theirs|Mine; Sent|every week at 08:00|every week at 09:00|unchanged; State|on|unchanged|off"; got != want {
		t.Errorf("the conflict is\n%s, want\n%s", got, want)
	}
	b.follow("Keep mine")
	b.until(closed + ` && ` + row("Digests", "Mine") + `?.[1] === "every week at 09:00"`)
	has(t, digest("Mine"), map[string]string{"hour": "9", "enabled": "false"})

	b.presses(`[aria-label="Delete Mine"]`)
	b.presses(`dialog button.primary`)
	b.until(closed + ` && ` + row("Digests", "Mine") + ` === undefined`)
	if digest("Mine") != nil {
		t.Error("the API has the deleted digest")
	}
	b.do(chromedp.Reload())
	b.until(row("Digests", "Warehouse") + ` !== undefined`)
	b.clean("status of 422") // the address that is none
}
