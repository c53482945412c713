package host_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo"
)

// dashboardPage is a page of the dashboard.
type dashboardPage struct {
	name   string
	path   string
	shows  string // a text that it has when it is complete
	anyone bool   // it is for people who are not signed in
}

// dashboardPages are all pages. ID stands for the id of a product, and LINK and LOCKED for the paths of share links, the second with a password.
var dashboardPages = []dashboardPage{
	{name: "signin", path: "/", shows: "Sign in", anyone: true},
	{name: "join", path: "/app/join#hpi_example", shows: "You are invited", anyone: true},
	{name: "shared", path: "LINK", shows: "The last 7 days", anyone: true},
	{name: "locked", path: "LOCKED", shows: "Password", anyone: true},
	{name: "guide", path: "/?project=empty", shows: "Send your first event"},
	{name: "overview", path: "/?project=default", shows: "in an average hour"},
	{name: "products", path: "/app/products", shows: "SKU"},
	{name: "import", path: "/app/products/import", shows: "Import"},
	{name: "product", path: "/app/products/ID", shows: "Put into a cart"},
	{name: "events", path: "/app/events", shows: "Names"},
	{name: "users", path: "/app/users", shows: "No user was exported."},
	{name: "user", path: "/app/users/u", shows: "Days"},
	{name: "live", path: "/app/live", shows: "appear here as they are stored"},
	{name: "debug", path: "/app/debug", shows: "Nothing was refused in the last 7 days."},
	{name: "digests", path: "/app/digests", shows: "Numbers of the week"},
	{name: "alerts", path: "/app/alerts", shows: "Few orders"},
	{name: "keys", path: "/app/keys?state=all", shows: "revoked"},
	{name: "members", path: "/app/members", shows: "viewer@example.com"},
	{name: "settings", path: "/app/settings", shows: "All projects"},
	{name: "audit", path: "/app/audit", shows: "key.created"},
	{name: "system", path: "/app/system", shows: "Versions"},
	{name: "account", path: "/app/account", shows: "Sign out everywhere"},
	{name: "nowhere", path: "/app/nowhere", shows: "There is no such page."},
}

// themes are the values of prefers-color-scheme.
var themes = []string{"light", "dark"}

// shows opens a page and waits until all of it is there.
func (b *tab) shows(page dashboardPage) {
	b.t.Helper()
	b.do(chromedp.Navigate("about:blank")) // else another text behind the # would not load the page
	b.open(page.path)
	b.sees(page.shows)
	b.until(`document.querySelector("h1, main p") !== null && document.querySelector(".skeleton") === null`)
}

func (b *tab) theme(name string) {
	b.t.Helper()
	b.do(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: name}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}))
}

// awaited waits for the promise that an expression makes.
func awaited(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }

// everyPage visits all pages of a shop with a product, those without a session first. It makes what pages need to show something.
func (b *tab) everyPage(s shop, product string, visit func(page dashboardPage)) {
	b.t.Helper()
	const link = `{"name":"Numbers","report":{"kind":"overview","days":7},"expires_at":%q%s}`
	shared := func(more string) string {
		body := fmt.Sprintf(link, time.Now().Add(time.Hour).Format(time.RFC3339), more)
		return s.send(http.MethodPost, "/auth/share-links", s.admin, body)["path"].(string)
	}
	places := strings.NewReplacer("ID", product, "LINK", shared(""), "LOCKED", shared(`,"password":"`+password+`"`))
	s.send(http.MethodPost, "/digests", s.admin, `{"name":"Numbers of the week","every":"week","hour":8,"recipients":["ada@example.com"],"enabled":true}`)
	s.send(http.MethodPost, "/alerts", s.admin, `{"name":"Few orders","metric":"orders","every":"day","hour":6,"condition":"below","threshold":10,"notify_recovery":true,"recipients":["ada@example.com"],"enabled":true}`)
	s.send(http.MethodPost, "/auth/projects", s.admin, `{"slug":"empty","name":"Empty"}`)
	signedIn := false
	for _, page := range dashboardPages {
		if !page.anyone && !signedIn {
			b.open("/")
			b.signIn("admin@example.com")
			b.do(chromedp.WaitVisible(`nav a`))
			signedIn = true
		}
		page.path = places.Replace(page.path)
		b.shows(page)
		visit(page)
	}
}

// TestAccessibility runs axe on every page.
func TestAccessibility(t *testing.T) {
	t.Parallel()
	s, id := busyShop(t)
	b := newTab(t, s.url)
	b.everyPage(s, id, func(page dashboardPage) { b.accessible(page.name) })
}

// accessible runs axe on the page that is open, in both themes, at the width of a desk and of a phone: it finds no violation of WCAG 2.2 AA.
func (b *tab) accessible(name string) {
	b.t.Helper()
	const file = "../../../../web/node_modules/axe-core/axe.min.js"
	axe, err := os.ReadFile(file)
	if err != nil {
		b.t.Fatalf("%v: make test-deps installs it", err)
	}
	const run = `axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}).then(r => JSON.stringify({
		rules: r.passes.length,
		violations: r.violations.flatMap(v => v.nodes.map(n => v.id + ": " + n.target.join(" ") + ": " + n.failureSummary)),
	}))`
	for _, width := range []int64{1280, 360} {
		for _, theme := range themes {
			b.theme(theme)
			b.do(chromedp.EmulateViewport(width, 900), chromedp.Evaluate(string(axe)+";0", nil))
			var answer string
			b.do(chromedp.Evaluate(run, &answer, awaited))
			var found struct {
				Rules      int
				Violations []string
			}
			if err := json.Unmarshal([]byte(answer), &found); err != nil {
				b.t.Fatal(err)
			}
			if found.Rules < 5 {
				b.t.Errorf("%s: axe has checked %d rules only", name, found.Rules)
			}
			for _, violation := range found.Violations {
				b.t.Errorf("%s, %s, %d px: %s", name, theme, width, violation)
			}
		}
	}
	b.do(chromedp.EmulateViewport(1280, 900))
}

// TestNoSidewaysScrolling checks that no page is wider than a phone: only tables scroll in themselves.
func TestNoSidewaysScrolling(t *testing.T) {
	t.Parallel()
	s, id := busyShop(t)
	b := newTab(t, s.url)
	b.everyPage(s, id, func(page dashboardPage) {
		for _, width := range []int64{360, 768, 2560} {
			b.do(chromedp.EmulateViewport(width, 900))
			if got := b.value(`document.documentElement.scrollWidth > innerWidth`); got != "false" {
				t.Errorf("%s is wider than a screen of %d px", page.name, width)
			}
		}
		b.do(chromedp.EmulateViewport(1280, 900))
	})
}

// TestKeyboardWalk goes through the overview with the tab key alone: first a link past the navigation, then everything in the order in
// which it is read, and always with a mark of where the focus is.
func TestKeyboardWalk(t *testing.T) {
	t.Parallel()
	s, _ := busyShop(t)
	b := newTab(t, s.url)
	b.open("/")
	b.signIn("admin@example.com")
	b.do(chromedp.WaitVisible(`nav a`))
	b.shows(dashboardPage{path: "/", shows: "in an average hour"})
	b.do(chromedp.KeyEvent(kb.Tab))
	if got := b.value(`document.activeElement.className`); got != "skip" {
		t.Fatalf("the first stop is %q", got)
	}
	b.do(chromedp.KeyEvent(kb.Enter))
	b.until(`document.activeElement.id === "main"`)
	b.do(chromedp.KeyEvent(kb.Tab))
	if got := b.value(`document.querySelector("#main").contains(document.activeElement)`); got != "true" {
		t.Error("after the skip link, the next stop is not on the page")
	}

	b.do(chromedp.Evaluate(`window.last = document.querySelector("#main"); 0`, nil))
	stops := 0
	for ; stops < 200; stops++ {
		at := b.value(`(() => {
			const at = document.activeElement;
			if (at === document.body || at.className === "skip") return "end";
			const follows = window.last === at || window.last.compareDocumentPosition(at) & Node.DOCUMENT_POSITION_FOLLOWING;
			window.last = at;
			if (!follows) return "out of order: " + at.outerHTML;
			return getComputedStyle(at).outlineStyle === "none" ? "no mark: " + at.outerHTML : "";
		})()`)
		if at == "end" {
			break
		}
		if at != "" {
			t.Error(at)
		}
		b.do(chromedp.KeyEvent(kb.Tab))
	}
	if stops < 15 || stops == 200 {
		t.Errorf("%d stops on the overview", stops)
	}
}

// TestBudgets checks what a page may cost a browser: requests, elements, and no text that moves while it is read. Counts do not depend
// on the machine.
func TestBudgets(t *testing.T) {
	t.Parallel()
	const (
		mostRequests = 15
		mostElements = 1500
	)
	s, id := busyShop(t)
	b := newTab(t, s.url)
	const watch = `window.shifts = []; new PerformanceObserver(list => {
		for (const e of list.getEntries()) window.shifts.push(e.value.toFixed(4) + " " + e.sources.map(s => s.node?.outerHTML?.slice(0, 80) ?? s.node?.textContent).join(" | "));
	}).observe({type: "layout-shift", buffered: true})`
	b.do(chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := page.AddScriptToEvaluateOnNewDocument(watch).Do(ctx)
		return err
	}))
	b.everyPage(s, id, func(page dashboardPage) {
		requests, err := strconv.Atoi(b.value(`performance.getEntriesByType("resource").length + 1`))
		if err != nil || requests > mostRequests {
			t.Errorf("%s makes %d requests, %v", page.name, requests, err)
		}
		if got := b.value(fmt.Sprintf(`document.querySelectorAll("*").length < %d`, mostElements)); got != "true" {
			t.Errorf("%s has %s elements", page.name, b.value(`document.querySelectorAll("*").length`))
		}
		if got := b.value(`window.shifts.join("\n")`); got != "" {
			t.Errorf("%s moves while it is drawn: %s", page.name, got)
		}
	})
}

var screens = flag.String("screens", "", "folder for screenshots of every page with the data of the demo (TestScreenshots)")

// TestScreenshots checks that every page draws something at three widths in both themes. With -screens it uses the data of the demo
// and keeps the pictures.
func TestScreenshots(t *testing.T) {
	t.Parallel()
	s, id := busyShop(t)
	if *screens != "" {
		err := demo.Run(t.Context(), demo.Options{
			URL: s.url, Email: "admin@example.com", Password: password, Events: 30_000, Days: 30, Products: 40, Users: 800, Seed: 1, Out: t.Output(),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	b := newTab(t, s.url)
	b.everyPage(s, id, func(page dashboardPage) { b.pictures(page.name) })
}

// pictures takes screenshots of the page that is open, and keeps them with -screens.
func (b *tab) pictures(name string) {
	b.t.Helper()
	for _, width := range []int64{360, 1280, 2560} {
		for _, theme := range themes {
			b.theme(theme)
			var picture []byte
			b.do(chromedp.EmulateViewport(width, 900), chromedp.FullScreenshot(&picture, 100))
			if len(picture) < 2000 {
				b.t.Errorf("%s, %s, %d px: the picture has %d bytes", name, theme, width, len(picture))
			}
			if *screens == "" {
				continue
			}
			file := fmt.Sprintf("%s-%d-%s.png", name, width, theme)
			if err := os.WriteFile(filepath.Join(*screens, file), picture, 0o600); err != nil {
				b.t.Fatal(err)
			}
		}
	}
}
