package host_test

import (
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestDashboardArchive archives a project and reopens it. Meanwhile members read it, are told so on each page, and have no way to change it.
func TestDashboardArchive(t *testing.T) {
	t.Parallel()
	s, _ := busyShop(t)
	const (
		path   = "/auth/projects/default"
		writes = `[...document.querySelectorAll("main button, main a.button")].map(b => b.textContent).filter(text => /^(New|Invite|Import|Add|Change|Save)/.test(text)).join()`
		note   = "This project is archived."
	)
	b := newTab(t, s.url)
	b.open("/app/settings")
	b.signIn("admin@example.com")
	b.follow("New project")
	b.types(`dialog [name=name]`, "Second shop")
	b.types(`dialog [name=slug]`, "second")
	b.presses(`dialog button.primary`)
	b.until(closed + ` && location.search.includes("project=second")`)
	b.open("/app/settings?project=default")
	b.do(chromedp.Click(`//section[h2="Archive the project"]/button`, chromedp.BySearch))
	b.sees("events and orders that are sent to it are refused and lost")
	b.accessible("archive a project")
	b.presses(`dialog button.primary`)
	b.sees(note)
	if s.send(http.MethodGet, path, s.admin, "")["archived_at"] == nil {
		t.Error("the API says that the project is not archived")
	}
	b.until(closed + ` && document.querySelector("[name=name]").disabled`)
	b.until(`[...document.querySelectorAll(".account option")].some(o => o.value === "default" && o.textContent.endsWith("(archived)"))`)
	b.until(`[...document.querySelectorAll("[aria-label='All projects'] tbody tr")].filter(row => row.textContent.includes("archived")).map(row => row.cells[1].textContent).join() === "default"`)
	for page, shows := range map[string]string{"products": "TEA 1/2", "keys": "active", "members": "viewer@example.com"} {
		b.open("/app/" + page + "?project=default")
		b.sees(shows)
		b.sees(note)
		if got := b.value(writes); got != "" {
			t.Errorf("%s: the page of an archived project has %s", page, got)
		}
	}
	b.accessible("members of an archived project")

	b.open("/app/settings?project=default")
	b.follow("Reopen it in its settings")
	b.do(chromedp.Click(`//section[h2="Reopen the project"]/button`, chromedp.BySearch))
	b.presses(`dialog button.primary`)
	b.until(closed + ` && !document.querySelector("[name=name]").disabled && document.querySelector("main > .note") === null`)
	if s.send(http.MethodGet, path, s.admin, "")["archived_at"] != nil {
		t.Error("the API says that the project is archived")
	}
	b.open("/app/products?project=default")
	b.sees("TEA 1/2")
	b.until(writes + ` === "Import CSV,New product"`)
	b.clean()
}
