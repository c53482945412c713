package host_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"
)

// openViews shows the saved views in the navigation.
func (b *tab) openViews() {
	b.t.Helper()
	b.until(`document.querySelector(".views summary") !== null`)
	b.do(chromedp.Evaluate(`if (!document.querySelector(".views").open) document.querySelector(".views summary").click()`, nil))
}

// TestDashboardViews saves the state of a page under a name, comes back to it, changes it, renames it and deletes it.
func TestDashboardViews(t *testing.T) {
	t.Parallel()
	s, _ := busyShop(t)
	b := newTab(t, s.url)
	b.open("/app/events?type=view&period=7+days")
	b.signIn("admin@example.com")
	b.sees("Names")
	b.openViews()
	b.sees("There are none yet.")
	b.pressesButton("Save this view")
	b.types(`input[name=view-name]`, "Views <per> day")
	b.presses(`input[name=shared]`)
	b.pressesButton("Save")
	b.until(`location.search.includes("view=")`)
	b.sees("Saved view Views <per> day")

	b.open("/")
	b.openViews()
	b.follow("Views <per> day")
	b.until(`location.pathname === "/app/events" && location.search.includes("type=view") && location.search.includes("period=7+days")`)
	b.until(`document.querySelector("section h2")?.textContent === "view"`)

	b.follow("30 days")
	b.sees("changed")
	b.follow("Back to the view")
	b.until(`location.search.includes("period=7+days")`)
	b.follow("30 days")
	b.pressesButton("Save the changes")
	b.until(`![...document.querySelectorAll("button")].some(b => b.textContent === "Save the changes")`)
	b.pressesButton("Rename or share")
	b.types(`input[name=view-name]`, "Month")
	b.pressesButton("Save")
	b.sees("Saved view Month")
	has(t, s.send(http.MethodGet, "/views", s.admin, "")["items"].([]any)[0].(map[string]any), map[string]string{
		"name": "Month", "address": "/app/events?type=view&period=30+days", "shared": "true",
	})

	b.pressesButton("Delete the view")
	b.sees("disappears for all members")
	b.presses(`dialog button.primary`)
	b.until(`!location.search.includes("view=")`)
	if items := s.send(http.MethodGet, "/views", s.admin, "")["items"].([]any); len(items) != 0 {
		t.Errorf("stored: %v", items)
	}
	b.clean()
}

// TestDashboardViewsOfOthers checks what a member sees of a view that somebody shares, that is gone, or whose product is.
func TestDashboardViewsOfOthers(t *testing.T) {
	t.Parallel()
	s, _ := busyShop(t)
	const unknown = "0195a3ef-5d10-7a6b-8f3c-0e9d1b2a4c57"
	of := func(body string) string { return s.send(http.MethodPost, "/views", s.admin, body)["id"].(string) }
	lost := of(`{"name":"Hat","address":"/app/products/` + unknown + `","shared":true}`)
	private := of(`{"name":"Secret plan","address":"/","shared":false}`)
	b := newTab(t, s.url)
	b.open("/?view=" + private)
	b.signIn("viewer@example.com")
	b.sees("This saved view was deleted, or it is not shared with you any more.")
	b.openViews()
	b.follow("Hat")
	b.until(fmt.Sprintf(`location.pathname.endsWith(%q) && location.search.includes(%q)`, unknown, lost))
	b.sees("This view is about something that does not exist any more.")
	b.sees("by admin")
	if got := b.value(`[...document.querySelectorAll(".viewing button")].length + document.body.textContent.includes("Secret plan")`); got != "0" {
		t.Errorf("a viewer is offered changes, or sees what is private: %s", got)
	}
	b.openViews()
	b.pressesButton("Save this view")
	b.until(`document.querySelector("input[name=view-name]") !== null && document.querySelector("input[name=shared]") === null`)
	b.clean("404") // the product
}
