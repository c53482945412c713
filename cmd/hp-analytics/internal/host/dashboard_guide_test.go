package host_test

import (
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/services/auth/accounts"
)

// TestFirstRun goes from an empty platform to the first event by what the page shows, and by nothing else.
func TestFirstRun(t *testing.T) {
	t.Parallel()
	p := startPlatform(t)
	if err := accounts.Put(t.Context(), p.database.Pool("hp_auth"), "admin@example.com", password, authn.Admin); err != nil {
		t.Fatal(err)
	}
	b := newTab(t, p.url)
	b.open("/")
	b.signIn("admin@example.com")
	b.sees("Send your first event")
	b.do(chromedp.WaitVisible(`select[name=time_zone]`), chromedp.SetValue(`select[name=time_zone]`, "Pacific/Kiritimati"), chromedp.SetValue(`select[name=currency]`, "JPY"))
	b.fill("Save", "name", "Tea shop")
	b.sees("Saved: days begin and end by the clocks of Pacific/Kiritimati.")

	const curl = `document.querySelector("pre[aria-label='Send an event with curl']")?.textContent`
	if line := b.value(curl); !strings.Contains(line, "YOUR_KEY") {
		t.Errorf("the line before there is a key: %s", line)
	}
	b.follow("Make a key")
	b.do(chromedp.WaitVisible(`pre[aria-label="The key"]`))
	b.sees("No event yet.")
	if got := b.value(`document.querySelector(".dot.on")`); got != "null" {
		t.Error("the light is green before an event was sent")
	}
	line := b.value(curl)
	if out, err := exec.CommandContext(t.Context(), "sh", "-c", line).CombinedOutput(); err != nil || !strings.Contains(string(out), `"accepted"`) {
		t.Fatalf("%s: %v %s", line, err, out)
	}
	b.do(chromedp.WaitVisible(`.dot.on`))
	b.sees("The first event has arrived: Signed Up.")

	b.follow("JavaScript")
	script := b.value(`document.querySelector("pre[aria-label='Send an event with JavaScript']").textContent`)
	b.do(chromedp.Evaluate(`window.sent = 0; (async () => { `+script+` window.sent = 1; })(); 0`, nil))
	b.until(`window.sent === 1`)
	b.follow("Show the overview")
	b.until(`[...document.querySelectorAll(".figure")].find(f => f.querySelector(".name").textContent === "Events")?.querySelector(".value").textContent === "2"`)
	b.do(chromedp.Reload())
	b.sees("Most viewed products")
	if got := b.value(`document.querySelector(".guide")`); got != "null" {
		t.Error("the guide is shown to a project that has events")
	}
	b.clean()

	answer := p.send(http.MethodPost, "/auth/login", "", `{"email":"admin@example.com","password":"`+password+`"}`)
	admin := "Bearer " + answer["access_token"].(string)
	project := p.send(http.MethodGet, "/auth/projects/default", admin, "")
	got := map[string]any{"name": project["name"], "time_zone": project["time_zone"], "currency": project["currency"]}
	if diff := cmp.Diff(got, map[string]any{"name": "Tea shop", "time_zone": "Pacific/Kiritimati", "currency": "JPY"}); diff != "" {
		t.Errorf("the project (-got +want):\n%s", diff)
	}
	keys := p.send(http.MethodGet, "/auth/api-keys", admin, "")["items"].([]any)
	if len(keys) != 1 || !cmp.Equal(keys[0].(map[string]any)["scopes"], []any{"ingest"}) {
		t.Errorf("the keys are %v", keys)
	}
}
