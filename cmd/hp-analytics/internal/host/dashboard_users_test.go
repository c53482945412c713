package host_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// customer is a user whose id needs to be escaped in addresses.
const customer = "kunde/17 ü"

// historyShop returns a shop where customer viewed a product 60 times and bought it once; others did little.
func historyShop(t *testing.T) shop {
	t.Helper()
	s, _ := busyShop(t)
	var events []string
	for n := range 60 {
		events = append(events, fmt.Sprintf(`{"type":"view","sku":"TEA 1/2","user_id":%q,"properties":{"n":%d}}`, customer, n))
	}
	s.send(http.MethodPost, "/events/bulk?wait=aggregated", s.key, `{"events":[`+strings.Join(events, ",")+`]}`)
	s.send(http.MethodPost, "/purchases?wait=aggregated", s.key, fmt.Sprintf(`{"sku":"TEA 1/2","quantity":1,"user_id":%q}`, customer))
	return s
}

// timeline returns what the API has of customer, newest first: the number of each event, and the names of others.
func (s shop) timeline() (items []string) {
	s.t.Helper()
	first := "/users/" + url.PathEscape(customer) + "/events?limit=7"
	for path := first; ; {
		page := s.send(http.MethodGet, path, s.admin, "")
		for _, item := range page["items"].([]any) {
			item := item.(map[string]any)
			if event, ok := item["event"].(map[string]any); ok {
				items = append(items, fmt.Sprint(event["properties"].(map[string]any)["n"]))
			} else {
				items = append(items, item["kind"].(string))
			}
		}
		next, more := page["next_cursor"].(string)
		if !more {
			return items
		}
		path = first + "&cursor=" + url.QueryEscape(next)
	}
}

// rows is an expression of the cells of a table by their text, and count of how many rows it has.
func rows(caption string) string {
	return fmt.Sprintf(`[...document.querySelectorAll("[aria-label='%s'] tbody tr")].map(row => [...row.cells].map(cell => cell.textContent))`, caption)
}

// TestDashboardUsers finds a user, reads its timeline page by page, exports it, and erases it.
func TestDashboardUsers(t *testing.T) {
	t.Parallel()
	s := historyShop(t)
	b := newTab(t, s.url)
	b.open("/app/users")
	b.signIn("admin@example.com")
	b.until(rows("Users with the most events") + `[0]?.join() === "kunde/17 ü,60,1"`)
	b.do(chromedp.SendKeys(`[aria-label="Id of a user"]`, customer+"\r"))
	b.until(rows("Timeline") + `.length === 50`)
	b.until(rows("Days") + `[0]?.slice(1).join() === "60,60,0,0,1,1,€100.00"`)
	shown := `.map(cells => cells[1].startsWith("Order") ? "order" : String(JSON.parse(cells[3].slice(cells[3].indexOf("{"))).n)).join()`
	got := b.value(rows("Timeline") + shown)
	b.follow("Next page")
	b.until(rows("Timeline") + `.length === 11`)
	got += "," + b.value(rows("Timeline")+shown)
	if want := s.timeline(); !slices.Equal(strings.Split(got, ","), want) {
		t.Errorf("the timeline is\n%s, want\n%s", got, want)
	}
	b.follow("7 days") // the first page of other days
	b.until(rows("Timeline") + `.length === 50 && !location.search.includes("cursor")`)

	next := b.downloads()
	b.follow("Export")
	if lines := strings.Split(strings.TrimSpace(next()), "\n"); len(lines) < 62 || !strings.Contains(lines[len(lines)-1], "sha256") {
		t.Errorf("the export has %d lines, the last is %s", len(lines), lines[len(lines)-1])
	}

	b.follow("Erase")
	b.types(`[name=typed]`, "kunde/17")
	if got := b.value(`document.querySelector("dialog button.primary").disabled`); got != "true" {
		t.Error("a part of the id confirms the erasure")
	}
	b.types(`[name=typed]`, customer)
	b.presses(`dialog button.primary`)
	b.until(rows("Receipts of exports") + `[0]?.[1] === "done"`)
	b.until(rows("Receipts of erasures") + `.length === 1`)
	b.until(rows("Receipts of erasures") + `[0][1] === "done"`)
	if left := s.timeline(); len(left) > 0 {
		t.Errorf("the API still has %v", left)
	}
	b.open("/app/users/" + url.PathEscape(customer))
	b.sees("Nothing is stored in these days.")
	b.clean()
}

// TestDashboardUsersOfAViewer checks that a viewer is told that it may not see users.
func TestDashboardUsersOfAViewer(t *testing.T) {
	t.Parallel()
	s, _ := busyShop(t)
	b := newTab(t, s.url)
	b.open("/app/users/u")
	b.signIn("viewer@example.com")
	b.sees("Only analysts and owners of the project see users.")
	if got := b.value(`[...document.querySelectorAll("nav a, main button")].map(e => e.textContent).filter(text => /Users|Export|Erase/.test(text)).length`); got != "0" {
		t.Errorf("a viewer sees %s ways to users", got)
	}
	b.open("/app/events")
	b.sees("Only analysts and owners of the project see single events.")
	b.clean()
}
