package host_test

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// TestDashboardRawEvents checks the filters of single events, and that they are in the address.
func TestDashboardRawEvents(t *testing.T) {
	t.Parallel()
	s := historyShop(t)
	b := newTab(t, s.url)
	b.open("/app/events")
	b.signIn("admin@example.com")
	b.until(rows("Latest events") + `.length === 50`)
	b.follow("Next page")
	b.until(rows("Latest events") + `.length === 14`)
	filter := func(by, value string) {
		b.do(chromedp.SendKeys(`[aria-label="Filter by"]`, by))
		b.types(`[aria-label="Value of the filter"]`, value+"\r")
	}
	filter("Id of", "u")
	b.until(rows("Latest events") + `.map(cells => cells[1]).join() === "view,view,view"`)
	filter("SKU", "NONE")
	b.sees("No event fits.")
	b.presses(`[aria-label="Remove the filter: product NONE"]`)
	b.presses(`[aria-label="Remove the filter: user u"]`)
	filter("Name", "Signed <b>Up</b>")
	b.until(rows("Latest events") + `.map(cells => cells[1] + cells[2]).join() === "Signed <b>Up</b>ü"`)
	b.do(chromedp.Reload())
	b.until(rows("Latest events") + `.map(cells => cells[1] + cells[2]).join() === "Signed <b>Up</b>ü"`)
	b.clean()
}
