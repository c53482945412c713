package host_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestDashboardAudit reads the audit log page by page, filters it, and keeps the filters in the address.
func TestDashboardAudit(t *testing.T) {
	t.Parallel()
	s := newShop(startPlatform(t))
	for n := range 60 {
		s.create(fmt.Sprintf("SKU %d", n))
	}
	s.send(http.MethodPost, "/auth/projects", s.admin, `{"slug":"shop-eu","name":"Shop Europe"}`)
	keys := fmt.Sprintf(`.length === %d`, len(s.send(http.MethodGet, "/auth/projects/default/audit?action=key.", s.admin, "")["items"].([]any)))
	b := newTab(t, s.url)
	b.open("/app/audit")
	b.signIn("owner@example.com")
	b.until(rows("Audit log") + `.length === 50 && ` + rows("Audit log") + `.every(cells => cells[1].startsWith("admin@example.com") && cells[2] === "product.created")`)
	b.follow("Next page")
	b.until(rows("Audit log") + `.some(cells => cells[2] === "key.revoked")`)
	b.chooses(`[aria-label=Actions]`, "key.")
	b.until(`!location.search.includes("cursor") && ` + rows("Audit log") + keys)
	b.do(chromedp.Reload())
	b.until(rows("Audit log") + keys + ` && document.querySelector("[aria-label=Actions]").value === "key."`)
	if got := b.value(`document.querySelectorAll("[role=search] [aria-pressed]").length`); got != "0" {
		t.Error("an owner is offered the log of the installation")
	}
	b.types(`[aria-label="Id of who did it"]`, "nobody\r")
	b.sees("Nothing was done in these days that fits.")
	b.presses(`[aria-label="Remove the filter: done by nobody"]`)
	b.until(rows("Audit log") + keys)
	b.do(chromedp.Click(`//td/button[text()="admin@example.com"]`, chromedp.BySearch))
	b.until(`location.search.includes("actor=") && ` + rows("Audit log") + keys)
	b.open("/app/audit?action=key.&from=2020-01-01&to=2020-01-02")
	b.sees("Nothing was done in these days that fits.")

	b.follow("Sign out")
	b.open("/app/audit?action=project.&project=default")
	b.signIn("admin@example.com")
	b.sees("Nothing was done in these days that fits.")
	b.follow("all projects and accounts")
	b.until(row("Audit log", "") + `?.[6] === "shop-eu" && location.search.includes("scope=all")`)
	b.clean()
}
