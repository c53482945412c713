package host_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"
)

// shareIn makes a link in the page that is open, and returns its address.
func (b *tab) shareIn(title, password string) string {
	b.t.Helper()
	b.do(chromedp.Click(`//button[text()="Share"]`, chromedp.BySearch), chromedp.WaitVisible(`dialog input[name=title]`),
		chromedp.Evaluate(`document.querySelector("dialog input[name=title]").select()`, nil), chromedp.SendKeys(`dialog input[name=title]`, title))
	if password != "" {
		b.do(chromedp.SendKeys(`dialog input[name=link-password]`, password))
	}
	b.do(chromedp.Click(`//dialog//button[text()="Make the link"]`, chromedp.BySearch), chromedp.WaitVisible(`dialog input[name=link]`))
	link := b.value(`document.querySelector("dialog input[name=link]").value`)
	b.do(chromedp.Click(`dialog button[aria-label=Close]`), chromedp.WaitNotPresent(`dialog`))
	return link
}

const bigFigure = `[...document.querySelectorAll(".figure")].find(f => f.querySelector(".name")?.textContent === %q)?.querySelector(".value").textContent`

// TestDashboardSharesReports shares the overview and a product, and reads them in a browser without a session: without and with a
// password, inside of a page of another origin, when the link is revoked, and when it has expired.
func TestDashboardSharesReports(t *testing.T) {
	t.Parallel()
	s, id := busyShop(t)
	b := newTab(t, s.url)
	b.open("/?period=7+days")
	b.signIn("admin@example.com")
	b.sees("Most viewed products")
	overview := b.shareIn("Numbers for the board", "")
	b.open("/app/products/" + id)
	b.sees("TEA 1/2")
	product := b.shareIn("One product", "winter numbers")
	b.clean()

	reader := newTab(t, s.url)
	reader.do(chromedp.Navigate(overview))
	reader.sees("Numbers for the board")
	reader.sees("The last 7 days")
	reader.until(fmt.Sprintf(bigFigure, "Events") + ` === "4"`)
	reader.do(chromedp.WaitVisible(`.chart canvas`))
	reader.follow("Orders")
	reader.until(`location.search === "?metric=purchases"`)
	reader.do(chromedp.Reload())
	reader.until(`document.querySelector(".figure[aria-pressed=true] .name")?.textContent === "Orders"`)
	if got := reader.value(`document.querySelectorAll("nav, a").length + JSON.stringify({...localStorage, ...sessionStorage}) + document.cookie`); got != "0{}" {
		t.Errorf("the page has links or keeps something: %s", got)
	}

	reader.open("/app/nothing") // another page, so that the address with another fragment is loaded
	reader.do(chromedp.Navigate(product))
	reader.do(chromedp.WaitVisible(`input[name=password]`), chromedp.SendKeys(`input[name=password]`, "summer numbers"), chromedp.Click(`button.primary`))
	reader.sees("The password of the link is wrong.")
	reader.do(chromedp.Evaluate(`document.querySelector("input[name=password]").select()`, nil), chromedp.SendKeys(`input[name=password]`, "winter numbers"), chromedp.Click(`button.primary`))
	reader.until(fmt.Sprintf(bigFigure, "Views") + ` === "3"`)
	reader.sees("TEA 1/2")

	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<!DOCTYPE html><title>board</title><link rel=icon href="data:,"><iframe src=%q width=900 height=700></iframe>`, strings.Replace(overview, "#", "?embed=1#", 1))
	}))
	defer page.Close()
	other := newTab(t, page.URL)
	other.open("/")
	var frames []*cdp.Node
	other.do(chromedp.Nodes(`iframe`, &frames, chromedp.ByQuery))
	other.do(chromedp.WaitVisible(`.chart canvas`, chromedp.ByQuery, chromedp.FromNode(frames[0])))
	other.clean()

	links := s.send(http.MethodGet, "/auth/share-links", s.admin, "")["items"].([]any)
	s.send(http.MethodDelete, "/auth/share-links/"+links[1].(map[string]any)["id"].(string), s.admin, "")
	reader.open("/app/nothing")
	reader.do(chromedp.Navigate(overview))
	reader.sees("This link does not work any more")
	if _, err := s.database.Pool("hp_auth").Exec(t.Context(), `UPDATE auth.share_links SET expires_at = now()`); err != nil {
		t.Fatal(err)
	}
	reader.open("/app/nothing")
	reader.do(chromedp.Navigate(product))
	reader.sees("This link has expired.")
	reader.clean("/auth/share-links/open") // the password that was missing and wrong, and the links that ended
}
