package host_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"
)

// chooses chooses an option of a select.
func (b *tab) chooses(selector, value string) {
	b.t.Helper()
	b.do(chromedp.WaitVisible(selector), chromedp.SetValue(selector, value))
	for _, event := range []string{"input", "change"} { // as a person causes them
		b.do(chromedp.Evaluate(fmt.Sprintf(`document.querySelector(%q).dispatchEvent(new Event(%q, {bubbles: true}))`, selector, event), nil))
	}
}

// TestDashboardSettings changes the settings of a project while somebody else does, moves its days to another time zone, and makes
// another project.
func TestDashboardSettings(t *testing.T) {
	t.Parallel()
	s, _ := busyShop(t)
	const path = "/auth/projects/default"
	project := func() map[string]any { return s.send(http.MethodGet, path, s.admin, "") }
	b := newTab(t, s.url)
	b.open("/app/settings")
	b.signIn("admin@example.com")
	b.types(`[name=name]`, "Tea shop")
	b.chooses(`[name=currency]`, "JPY")
	b.chooses(`[name=week_start]`, "7")
	b.types(`[name=max_event_age_days]`, "ten")
	b.presses(`form button.primary`)
	b.sees("Must be a whole number, or empty.")
	b.types(`[name=max_event_age_days]`, "30")
	b.types(`[name=events_per_second]`, "500")
	b.presses(`form button.primary`)
	b.sees("Tea shop was saved.")
	has(t, project(), map[string]string{"name": "Tea shop", "currency": "JPY", "week_start": "7", "max_event_age_days": "30", "events_per_second": "500", "time_zone": "UTC"})

	// Both change the name; the currency is theirs only, and the limit is mine only.
	b.types(`[name=name]`, "Mine")
	b.types(`[name=events_per_second]`, "")
	b.do(chromedp.SendKeys(`[name=events_per_second]`, "\b"))
	s.patch(path, `{"name":"Theirs","currency":"USD"}`)
	b.presses(`form button.primary`)
	b.sees("Somebody else changed these settings")
	conflict := `[...document.querySelectorAll("[aria-label=Conflict] tbody tr")].map(row => [...row.cells].map(cell => cell.textContent).join("|")).join("; ")`
	if got, want := b.value(conflict), "Name|Tea shop|Theirs|Mine; Currency|JPY|USD|unchanged; Events per second|500|unchanged|no limit"; got != want {
		t.Errorf("the conflict is\n%s, want\n%s", got, want)
	}
	has(t, project(), map[string]string{"name": "Theirs"})
	b.follow("Keep mine")
	b.sees("Mine was saved.")
	has(t, project(), map[string]string{"name": "Mine", "currency": "USD", "events_per_second": "<nil>"})

	b.chooses(`[name=time_zone]`, "Europe/Berlin")
	b.presses(`form button.primary`)
	b.sees("Moving days from UTC to Europe/Berlin")
	b.sees("Days and hours were moved from UTC to Europe/Berlin.")

	b.follow("New project")
	b.types(`dialog [name=name]`, "Shop Europe")
	b.types(`dialog [name=slug]`, "default")
	b.presses(`dialog button.primary`)
	b.do(chromedp.WaitVisible(`dialog [name=slug][aria-invalid=true]`)) // the error stands beside the slug, not under the form
	b.types(`dialog [name=slug]`, "shop-eu")
	b.presses(`dialog button.primary`)
	b.until(closed + ` && location.search.includes("project=shop-eu") && document.querySelector("[name=name]")?.value === "Shop Europe"`)
	b.until(row("All projects", "Shop Europe") + `?.[1] === "shop-eu"`)
	b.do(chromedp.Click(`//td/a[text()="Mine"]`, chromedp.BySearch))
	b.until(`location.search.includes("project=default") && document.querySelector("[name=name]")?.value === "Mine"`)
	b.clean("status of 409", "status of 412") // the slug that is taken, and the conflict
}
