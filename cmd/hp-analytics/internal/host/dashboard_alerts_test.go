package host_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestDashboardAlerts makes an alert, whose condition is said in words while it is typed, changes it while somebody else does, reads what it has
// found, and deletes it.
func TestDashboardAlerts(t *testing.T) {
	t.Parallel()
	s := newShop(startPlatform(t))
	_, product := s.create("TEA 1/2")
	b := newTab(t, s.url)
	b.open("/app/alerts")
	b.signIn("owner@example.com")
	b.sees("There are no alerts yet.")

	b.follow("New alert")
	b.types(`dialog [name=name]`, "Revenue")
	b.sees("Fires for Orders of a day unusually high or low against the same weekday")
	b.chooses(`dialog [name=metric]`, "revenue")
	b.chooses(`dialog [name=condition]`, "below")
	b.sees("The value must be an amount of money")
	b.types(`dialog [name=threshold]`, "1200.50")
	b.types(`dialog [name=sku]`, "NOWHERE")
	b.types(`dialog [name=recipients]`, "ada@example.com")
	b.until(`document.querySelector("dialog .preview").textContent === "Fires for Net revenue of one product of a day under €1,200.50. It looks from 06:00 on the day after each day, once everything is counted."`)
	b.accessible("new alert")
	b.presses(`dialog button.primary`)
	b.sees("There is no product with the SKU NOWHERE.")
	b.types(`dialog [name=sku]`, "TEA 1/2")
	b.presses(`dialog button.primary`)
	b.until(closed + ` && ` + row("Alerts", "Revenue") + `?.[1] === "newIts first period is not over."`)
	alert := func() map[string]any {
		items := s.send(http.MethodGet, "/alerts", s.admin, "")["items"].([]any)
		if len(items) == 0 {
			return nil
		}
		return items[0].(map[string]any)
	}
	has(t, alert(), map[string]string{"metric": "revenue", "currency": "EUR", "threshold": "120050", "product": product, "condition": "below"})

	// Both change the name; the hour is theirs only, and the condition is mine only.
	b.presses(`[aria-label="Edit Revenue"]`)
	b.until(`document.querySelector("dialog [name=sku]").value === "TEA 1/2" && document.querySelector("dialog [name=threshold]").value === "1200.50"`)
	b.types(`dialog [name=name]`, "Mine")
	b.chooses(`dialog [name=condition]`, "change")
	b.types(`dialog [name=percent]`, "30")
	id := alert()["id"].(string)
	s.send(http.MethodPut, "/alerts/"+id, s.admin, `{"name":"Theirs","metric":"revenue","currency":"EUR","product":"`+product+
		`","every":"day","hour":9,"condition":"below","threshold":120050,"notify_recovery":true,"recipients":["ada@example.com"],"enabled":true}`)
	b.presses(`dialog button.primary`)
	b.sees("Somebody else changed this alert")
	conflict := b.value(`[...document.querySelectorAll("[aria-label=Conflict] tbody tr")].map(row => [...row.cells].map(cell => cell.textContent).join("|")).join("; ")`)
	if !strings.HasPrefix(conflict, "Name|Revenue|Theirs|Mine; Fires for|Net revenue of one product of a day under €1,200.50|unchanged|Net revenue of one product of a day rise or fall by more than 30 %") {
		t.Errorf("the conflict is %s", conflict)
	}
	b.follow("Keep mine")
	b.until(closed + ` && ` + row("Alerts", "Mine") + ` !== undefined`)
	has(t, alert(), map[string]string{"name": "Mine", "condition": "change", "percent": "30", "direction": "both"})

	// What it has found, as the service stores it.
	if _, err := s.database.Pool("hp_aggregator").Exec(t.Context(), `
		INSERT INTO workspace.evaluations (id, alert, first_day, last_day, due_at, state, reason, value, low, high, fired, as_of)
		SELECT gen_random_uuid(), $1, d, d, d + 1, CASE n WHEN 1 THEN 'skipped' ELSE 'evaluated' END, CASE n WHEN 1 THEN 'There are too few days.' ELSE '' END,
		       CASE WHEN n > 1 THEN 10000 * n END, CASE WHEN n > 1 THEN 15000 END, CASE WHEN n > 1 THEN 35000 END, n = 4, now()
		FROM generate_series(1, 4) n, LATERAL (SELECT date '2026-03-10' + n AS d) days`, id); err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.Reload())
	b.until(row("Alerts", "Mine") + `?.[1] === "firingMar 14, 2026: €400.00"`)
	b.follow("Mine")
	b.until(rows("Evaluations of Mine") + `.map(cells => cells.slice(0, 4).join("|")).join("; ") === ` +
		`"Mar 14, 2026|firing|€400.00|€150.00 to €350.00; Mar 13, 2026|ok|€300.00|€150.00 to €350.00; ` +
		`Mar 12, 2026|ok|€200.00|€150.00 to €350.00; Mar 11, 2026|not evaluated|There are too few days.|"`)
	if got := b.value(`document.querySelector(".history").getAttribute("aria-label") + document.querySelectorAll(".history polygon, .history polyline, .history circle").length`); got != "3 values from Mar 12, 2026 to Mar 14, 2026; 1 fired. The table has them.3" {
		t.Errorf("the chart is %s", got)
	}
	b.accessible("history of an alert")
	b.pictures("alert-history")

	b.presses(`[aria-label="Delete Mine"]`)
	b.presses(`dialog button.primary`)
	b.until(closed + ` && ` + row("Alerts", "Mine") + ` === undefined`)
	if alert() != nil {
		t.Error("the API has the deleted alert")
	}
	b.clean()
}
