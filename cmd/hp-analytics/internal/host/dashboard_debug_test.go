package host_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
)

// TestDashboardDebug sends what is refused, also where the answer does not say so, and reads why on the page, grouped by reason.
func TestDashboardDebug(t *testing.T) {
	t.Parallel()
	s, _ := busyShop(t)
	b := newTab(t, s.url)
	b.open("/app/debug")
	b.signIn("admin@example.com")
	b.sees("Nothing was refused in the last 7 days.")
	made := s.send(http.MethodPost, "/auth/api-keys", s.admin, `{"name":"the new shop","scopes":["ingest"]}`)
	key := "Bearer " + made["key"].(string)
	for range 2 {
		s.do(http.MethodPost, "/events", key, "application/json", `{"type":"view","sku":"BOOT","user_id":"hush@example.com","properties":{"plan":"hush"}}`)
	}
	s.do(http.MethodPost, "/segment/v1/track", key, "application/json", `{"event":"Signed Up"}`)
	s.do(http.MethodPost, "/events", s.key, "application/json", `{"type":`)

	senders := rows("Who sent what was refused") + `.map(cells => cells.slice(0, 3).join("|")).join("; ")`
	known := func(what string, is func(answer map[string]any) bool) { // refusals are kept a moment after their answers
		platformtest.Eventually(t, time.Minute, what, func() bool { return is(s.send(http.MethodGet, "/rejections", s.admin, "")) })
		b.follow("Refresh")
	}
	known("four refusals", func(answer map[string]any) bool { return len(answer["items"].([]any)) == 4 })
	b.until(senders + `.startsWith("the new shop|3|never; test|1|")`)
	b.until(`[...document.querySelectorAll("section h2")].map(h => h.textContent).join("; ") === "Who sent it; Unknown product 2; No JSON 1; Nobody did it 1"`)
	b.sees("Nothing valid was received since")
	b.sees("Create the product, import the catalog")
	b.do(chromedp.Click(`[aria-label="Refused: Unknown product"] summary`))
	b.until(`document.querySelector("[aria-label='Refused: Unknown product'] pre").textContent.includes('"plan": "(string)"')`)
	if got := b.value(`document.body.textContent.includes("hush")`); got != "false" {
		t.Error("a value of a property or the id of a person is shown")
	}
	b.accessible("debug with refusals")
	b.pictures("debug-refusals")

	b.follow("the new shop")
	b.until(rows("Who sent what was refused") + `.length === 1 && location.search === "?key=` + made["id"].(string) + `"`)
	b.do(chromedp.Reload())
	b.until(senders + ` === "the new shop|3|never"`)
	s.send(http.MethodPost, "/events", key, `{"type":"view","sku":"TEA 1/2","user_id":"u"}`)
	known("something valid", func(answer map[string]any) bool {
		return answer["senders"].([]any)[0].(map[string]any)["valid_at"] != nil
	})
	b.until(senders + ` !== "the new shop|3|never"`)
	b.presses(`[aria-label="Remove the filter: key the new shop"]`)
	b.until(rows("Who sent what was refused") + `.length === 2`)
	b.clean()

	viewer := newTab(t, s.url)
	viewer.open("/app/debug")
	viewer.signIn("viewer@example.com")
	viewer.sees("Only analysts and owners of the project see what was refused.")
	viewer.clean()
}
