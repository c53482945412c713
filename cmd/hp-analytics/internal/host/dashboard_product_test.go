package host_test

import (
	"bytes"
	"fmt"
	"image/png"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// card returns the text of the section with a heading.
func card(heading string) string {
	return fmt.Sprintf(`[...document.querySelectorAll("section.card")].find(card => card.querySelector("h2")?.textContent === %q)?.textContent`, heading)
}

// TestDashboardProduct checks the page of a product against the API: its funnel, its money, its comparisons, and its files.
func TestDashboardProduct(t *testing.T) {
	t.Parallel()
	s, id := busyShop(t) // three views, and an order of two
	_, coffee := s.create("COFFEE")
	order := s.send(http.MethodPost, "/purchases?wait=aggregated", s.key, `{"sku":"TEA 1/2","quantity":1,"user_id":"w"}`)
	s.send(http.MethodPost, "/orders/"+order["id"].(string)+"/refunds?wait=aggregated", s.key, `{"id":"r","amount_minor":2500}`)
	s.send(http.MethodPost, "/events?wait=aggregated", s.key, `{"type":"add_to_cart","sku":"TEA 1/2","user_id":"w"}`)
	s.send(http.MethodPost, "/events?wait=aggregated", s.key, `{"type":"view","sku":"COFFEE","user_id":"v"}`)

	b := newTab(t, s.url)
	b.open("/app/products/" + id + "?period=7+days")
	b.signIn("viewer@example.com")
	b.until(card("From view to order") + `?.includes("Views 3")`)
	steps := `[...document.querySelectorAll(".funnel li")].map(step => step.textContent.trim()).join("; ")`
	if got := b.value(steps); got != "Views 3; Put into a cart 133.3% of views; Orders 2200% of carts" {
		t.Errorf("the funnel is %s", got)
	}
	money := `[...document.querySelectorAll("[aria-label='Revenue and refunds'] tbody td")].map(cell => cell.textContent).join(" ")`
	if got := b.value(money); got != "EUR €300.00 €25.00 €275.00 3" {
		t.Errorf("the money is %s", got)
	}

	b.follow("Previous period")
	b.sees("Compared with the period before")
	compared := `[...document.querySelectorAll("[aria-label=Comparison] tbody tr")].map(row => [...row.cells].map(cell => cell.textContent).join(" ")).join("; ")`
	if got := b.value(compared); !strings.HasPrefix(got, "Views 3 0 –;") {
		t.Errorf("compared with the period before: %s", got)
	}
	b.follow("Another product")
	b.do(chromedp.SendKeys(`dialog input[type=search]`, "COFF"))
	b.until(`document.querySelectorAll("dialog .form button").length === 1`)
	b.presses(`dialog .form button`)
	b.until(`location.search.includes("compare=` + coffee + `")`)
	b.do(chromedp.Reload())
	b.until(compared + `.startsWith("Views 3 1 +200%")`)

	b.do(chromedp.WaitVisible(`.chart canvas`))
	next := b.downloads()
	b.follow("CSV")
	status, want := s.accept("/analytics/products/"+id+"/timeseries?"+b.value(`performance.getEntriesByType("resource").map(e => e.name).findLast(name => name.includes("`+id+`/timeseries")).split("?")[1]`), "text/csv")
	if got := next(); status != http.StatusOK || got != want || !strings.Contains(got, "views") {
		t.Errorf("the file has\n%s, want %d\n%s", got, status, want)
	}
	b.follow("PNG")
	picture, err := png.Decode(bytes.NewReader([]byte(next())))
	if err != nil {
		t.Fatal(err)
	}
	colors := map[string]bool{}
	for x := range picture.Bounds().Dx() {
		for y := range picture.Bounds().Dy() {
			colors[fmt.Sprint(picture.At(x, y))] = true
		}
	}
	if len(colors) < 5 {
		t.Errorf("the picture of the chart has %d colors", len(colors))
	}
	b.clean()
}

// accept reads an answer in a format.
func (s shop) accept(path, mediaType string) (status int, body string) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+path, http.NoBody)
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Authorization", s.admin)
	request.Header.Set("Accept", mediaType)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	var content bytes.Buffer
	if _, err := content.ReadFrom(answer.Body); err != nil {
		s.t.Fatal(err)
	}
	return answer.StatusCode, content.String()
}
