package host_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"
)

// types replaces the text of a control.
func (b *tab) types(selector, text string) {
	b.t.Helper()
	b.do(chromedp.WaitVisible(selector), chromedp.Evaluate(fmt.Sprintf(`document.querySelector(%q).select()`, selector), nil), chromedp.SendKeys(selector, text))
}

// presses clicks on what a selector names.
func (b *tab) presses(selector string) {
	b.t.Helper()
	b.do(chromedp.WaitEnabled(selector), chromedp.Click(selector))
}

// has checks members of an answer, as text.
func has(t *testing.T, answer map[string]any, want map[string]string) {
	t.Helper()
	for name, text := range want {
		if got := fmt.Sprint(answer[name]); got != text {
			t.Errorf("%s is %s, want %s", name, got, text)
		}
	}
}

const closed = `document.querySelector("dialog") === null`

// TestDashboardProducts creates, edits, archives and activates a product in the page, while others change it through the API. What
// both change is shown, and nothing of either is lost.
func TestDashboardProducts(t *testing.T) {
	t.Parallel()
	s := newShop(startPlatform(t))
	s.create("TAKEN")
	b := newTab(t, s.url)
	b.open("/app/products")
	b.signIn("admin@example.com")

	b.follow("New product")
	b.types(`[name=name]`, "Trail runner 42")
	b.types(`[name=sku]`, "TAKEN")
	b.types(`[name=price]`, "1,299.00")
	b.types(`[name=currency]`, "eur")
	b.presses(`dialog button.primary`)
	b.sees("EUR must be an amount such as 1299.00")
	b.types(`[name=price]`, "129.90")
	b.follow("Add a currency")
	b.types(`[aria-label="Price 2"]`, "21000")
	b.types(`[aria-label="Currency 2"]`, "jpy")
	b.presses(`dialog button.primary`)
	b.sees("SKU")
	b.do(chromedp.WaitVisible(`dialog .note`))
	b.types(`[name=sku]`, "SHOE-42")
	b.presses(`dialog button.primary`)
	b.until(closed + ` && location.pathname.startsWith("/app/products/")`)
	path := b.value(`location.pathname`)[len("/app"):]
	product := func() map[string]any { return s.send(http.MethodGet, path, s.admin, "") }
	has(t, product(), map[string]string{"name": "Trail runner 42", "sku": "SHOE-42", "price_minor": "12990", "currency": "EUR", "prices": "map[JPY:21000]"})
	b.sees("¥21,000")

	// Both change the name; the category is theirs only, and the prices are mine only.
	b.follow("Edit")
	b.types(`[name=name]`, "Mine")
	b.presses(`[aria-label="Remove the price in JPY"]`)
	s.patch(path, `{"name":"Theirs","category":"shoes"}`)
	b.presses(`dialog form button.primary`)
	b.sees("Somebody else changed this product")
	conflict := `[...document.querySelectorAll("dialog tbody tr")].map(row => [...row.cells].map(cell => cell.textContent).join("|")).join("; ")`
	if got, want := b.value(conflict), "Name|Trail runner 42|Theirs|Mine; Category|empty|shoes|unchanged; Prices in other currencies|¥21,000|unchanged|none"; got != want {
		t.Errorf("the conflict is\n%s, want\n%s", got, want)
	}
	has(t, product(), map[string]string{"name": "Theirs", "version": "2"})
	s.patch(path, `{"description":"Meanwhile"}`) // once more
	b.follow("Keep mine")
	b.until(conflict + `.includes("Description|empty|Meanwhile|unchanged")`)
	b.follow("Keep mine")
	b.until(closed)
	has(t, product(), map[string]string{"name": "Mine", "category": "shoes", "prices": "map[]", "description": "Meanwhile"})

	b.until(`document.querySelector("h1").textContent.startsWith("Mine")`)
	b.follow("Edit")
	b.types(`[name=name]`, "Mine again")
	s.patch(path, `{"name":"Theirs again"}`)
	b.presses(`dialog form button.primary`)
	b.follow("Take theirs")
	b.until(`document.querySelector("[name=name]").value === "Theirs again"`)
	b.types(`[name=category]`, "boots")
	b.presses(`dialog form button.primary`)
	b.until(closed)
	has(t, product(), map[string]string{"name": "Theirs again", "category": "boots"})

	b.until(`document.querySelector("h1").textContent.startsWith("Theirs again")`)
	b.follow("Archive")
	b.presses(`dialog button.primary`)
	b.until(closed)
	b.follow("Activate")
	b.do(chromedp.WaitVisible(`//button[text()="Archive"]`, chromedp.BySearch))
	has(t, product(), map[string]string{"status": "active"})
	b.clean("status of 409", "status of 412") // the SKU that is taken, and the conflicts
}

// TestDashboardProductsOfAViewer checks that somebody who may not change products is not offered to.
func TestDashboardProductsOfAViewer(t *testing.T) {
	t.Parallel()
	s, id := busyShop(t)
	b := newTab(t, s.url)
	b.open("/app/products")
	b.signIn("viewer@example.com")
	b.sees("TEA 1/2")
	b.open("/app/products/" + id)
	b.sees("€100.00")
	if got := b.value(`[...document.querySelectorAll("main button")].map(button => button.textContent).filter(text => /New|Edit|Archive/.test(text)).length`); got != "0" {
		t.Errorf("a viewer sees %s buttons that change products", got)
	}
	b.clean()
}
