package host_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
)

// row is an expression of the cells of the first row of a table whose first cell begins with a text; undefined if there is none.
func row(caption, begins string) string {
	return fmt.Sprintf(`%s.find(cells => cells[0].startsWith(%q))`, rows(caption), begins)
}

// copied clicks on a button that copies, and returns what the clipboard has then.
func (b *tab) copied(button string) string {
	b.t.Helper()
	b.do(browser.SetPermission(&browser.PermissionDescriptor{Name: "clipboard-read"}, browser.PermissionSettingGranted))
	b.do(browser.SetPermission(&browser.PermissionDescriptor{Name: "clipboard-write"}, browser.PermissionSettingGranted))
	b.follow(button)
	b.sees("Copied.")
	var text string
	b.do(chromedp.Evaluate(`navigator.clipboard.readText()`, &text, awaited))
	return text
}

// TestDashboardKeys makes a key, which is shown once and works, and revokes it.
func TestDashboardKeys(t *testing.T) {
	t.Parallel()
	s := newShop(startPlatform(t))
	b := newTab(t, s.url)
	b.open("/app/keys")
	b.signIn("owner@example.com")
	b.until(row("Keys", "test") + `?.[6] === "active"`)
	b.follow("New key")
	b.presses(`dialog [name=ingest]`)
	b.types(`dialog [name=name]`, "web shop")
	b.presses(`dialog button.primary`)
	b.sees("Choose what the key may do.")
	b.presses(`dialog [name=ingest]`)
	b.presses(`dialog [name=read]`)
	b.do(chromedp.SetValue(`dialog [name=unknown]`, "create"), chromedp.Evaluate(`document.querySelector("dialog [name=unknown]").dispatchEvent(new Event("change", {bubbles: true}))`, nil))
	b.presses(`dialog button.primary`)
	b.sees("It is not shown again.")
	key := b.value(`document.querySelector("dialog [name=key]").value`)
	if got := b.copied("Copy the key"); got != key || !strings.HasPrefix(key, "hpa_") {
		t.Errorf("the key %s is copied as %s", key, got)
	}
	b.follow("Done")
	b.until(closed + ` && ` + row("Keys", "web shop") + `?.[6] === "active"`)
	if got, want := b.value(row("Keys", "web shop")+`.slice(1, 4).join("; ")`), "secret; ingest, read; no end, creates unknown products"; got != want {
		t.Errorf("the key is shown as %s, want %s", got, want)
	}
	b.do(chromedp.Reload())
	b.until(row("Keys", "web shop") + `?.[5] === "never"`)
	if got := b.value(fmt.Sprintf(`document.documentElement.outerHTML.includes(%q)`, key)); got != "false" {
		t.Error("the key is shown again")
	}

	s.send(http.MethodPost, "/events", "Bearer "+key, `{"type":"view","sku":"NEW","user_id":"u"}`)
	b.presses(`[aria-label="Revoke web shop"]`)
	b.sees("refused within 5 seconds")
	b.presses(`dialog button.primary`)
	b.until(closed + ` && ` + row("Keys", "web shop") + ` === undefined`)
	b.follow("all")
	b.until(row("Keys", "web shop") + `?.[6] === "revoked" && location.search === "?state=all"`)
	b.do(chromedp.Reload())
	b.until(row("Keys", "web shop") + `?.[7] === ""`)
	for _, k := range s.send(http.MethodGet, "/auth/api-keys", s.admin, "")["items"].([]any) {
		if k := k.(map[string]any); k["name"] == "web shop" && k["revoked_at"] == nil {
			t.Error("the API says that the key is not revoked")
		}
	}
	b.clean()
}

// TestDashboardPublicKey makes a key for the pages of a shop, and puts what the dashboard says into a page of another origin: its view is stored.
func TestDashboardPublicKey(t *testing.T) {
	t.Parallel()
	s := newShop(startPlatform(t))
	page := make(chan string, 1)
	pages := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		select {
		case snippet := <-page:
			_, _ = fmt.Fprint(w, `<!doctype html><link rel="icon" href="data:,"><h1>Tea</h1>`+snippet)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(pages.Close)
	b := newTab(t, s.url)
	b.open("/app/keys")
	b.signIn("owner@example.com")
	b.follow("New key")
	b.types(`dialog [name=name]`, "shop pages")
	b.presses(`dialog [value=public]`)
	b.types(`dialog [name=origins]`, "shop.example")
	b.presses(`dialog button.primary`)
	b.until(`document.querySelector("dialog [name=origins]").getAttribute("aria-invalid") === "true"`)
	b.types(`dialog [name=origins]`, "https://shop.example\n"+pages.URL)
	b.types(`dialog [name=most]`, "many")
	b.presses(`dialog button.primary`)
	b.sees("Events per minute must be a whole number, or empty.")
	b.types(`dialog [name=most]`, "5000")
	b.presses(`dialog [name=bots]`) // this browser is an automated one
	b.accessible("new public key")
	b.presses(`dialog button.primary`)
	b.sees("It may stand in a page.")
	b.accessible("made public key")
	key := b.value(`document.querySelector("dialog [name=key]").value`)
	b.until(fmt.Sprintf(`document.querySelector("dialog pre").textContent === '<script defer src="%s/hp.js" data-key="%s"></script>'`, s.url, key))
	b.follow("Own code") // the script of one line sends nothing from automated browsers
	b.until(`document.querySelector("dialog pre").textContent.includes("sendBeacon")`)
	snippet := b.value(`document.querySelector("dialog pre").textContent`)
	if !strings.HasPrefix(key, "hpw_") || !strings.Contains(snippet, key) {
		t.Fatalf("the key %s is not in\n%s", key, snippet)
	}
	for _, library := range []string{"Segment", "RudderStack", "PostHog"} {
		b.follow(library)
		b.until(fmt.Sprintf(`document.querySelector("dialog pre").textContent.includes(%q)`, key))
	}
	b.follow("Done")
	b.until(closed + ` && ` + row("Keys", "shop pages") + `?.[6] === "active"`)
	const want = "; ingest; no end, refuses unknown products, takes events of bots, 5,000 events a minute"
	if got := b.value(row("Keys", "shop pages") + `.slice(1, 4).join("; ")`); got != "publichttps://shop.example, "+pages.URL+want {
		t.Errorf("the key is shown as %s", got)
	}

	page <- snippet
	b.do(chromedp.Navigate(pages.URL))
	b.sees("Tea")
	b.open("/app/events")
	b.until(`[...document.querySelectorAll("main tbody tr")].some(row => row.cells[0].textContent === "page" && row.cells[1].textContent === "1")`)
	b.clean("status of 422") // the origin without its scheme
}

// TestDashboardManagementOfAViewer checks that somebody who manages nothing has no way to pages that manage, and is told so at their addresses.
func TestDashboardManagementOfAViewer(t *testing.T) {
	t.Parallel()
	s := newShop(startPlatform(t))
	b := newTab(t, s.url)
	b.open("/app/keys")
	b.signIn("viewer@example.com")
	b.do(chromedp.WaitVisible(`nav a`))
	for path, says := range map[string]string{
		"keys": "Only owners of the project see its API keys.", "members": "Only owners of the project see its members.",
		"settings": "Only owners of the project change its settings.", "audit": "Only owners of the project see what was done in it.",
		"digests": "Only analysts and owners of the project see its digests.", "alerts": "Only analysts and owners of the project see its alerts.",
		"system": "Only admins of the installation see its state.",
	} {
		b.open("/app/" + path)
		b.sees(says)
		if got := b.value(`document.querySelectorAll("nav[aria-label=Manage] a, main button, main table").length`); got != "0" {
			t.Errorf("%s: a viewer sees %s ways to manage", path, got)
		}
	}
	b.clean()
}
