package host_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// tab is a page in a real browser.
type tab struct {
	t   *testing.T
	ctx context.Context
	url string

	mu       sync.Mutex
	problems []string // errors of the console and violations of the page's policy
}

// newTab starts a browser without a session.
func newTab(t *testing.T, base string) *tab {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("%v: make test-deps installs it", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox,
		chromedp.WindowSize(1280, 900), chromedp.WSURLReadTimeout(2*time.Minute), chromedp.Flag("lang", "en-US"))
	allocated, stop := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	t.Cleanup(stop)
	within, expire := context.WithTimeout(allocated, 4*time.Minute)
	t.Cleanup(expire)
	ctx, closeTab := chromedp.NewContext(within, chromedp.WithErrorf(t.Logf)) // events that chromedp does not know
	t.Cleanup(closeTab)
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil { // waits until the browser and its files are gone
			t.Logf("close the browser: %v", err)
		}
	})
	b := &tab{t: t, ctx: ctx, url: base}
	chromedp.ListenTarget(ctx, b.listen)
	b.do(log.Enable())
	return b
}

func (b *tab) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch event := event.(type) {
	case *runtime.EventExceptionThrown:
		b.problems = append(b.problems, event.ExceptionDetails.Error())
	case *log.EventEntryAdded:
		if event.Entry.Level == log.LevelError {
			b.problems = append(b.problems, event.Entry.Text+" "+event.Entry.URL)
		}
	}
}

func (b *tab) do(actions ...chromedp.Action) {
	b.t.Helper()
	if err := chromedp.Run(b.ctx, actions...); err != nil {
		b.t.Fatalf("%v; problems of the page: %q", err, b.problems)
	}
}

// open loads a path of the dashboard.
func (b *tab) open(path string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.url + path))
}

// sees waits until the page shows a text.
func (b *tab) sees(text string) {
	b.t.Helper()
	b.until(fmt.Sprintf(visible, fmt.Sprintf(`//*[contains(normalize-space(.), %q)]`, text)) + ` !== undefined`)
}

// visible is the innermost visible element that an XPath finds, if there is one.
const visible = `(() => {
	const found = document.evaluate(%q, document, null, XPathResult.ORDERED_NODE_SNAPSHOT_TYPE);
	for (let i = found.snapshotLength - 1; i >= 0; i--) if (found.snapshotItem(i).getClientRects().length > 0) return found.snapshotItem(i);
})()`

// follow clicks on a link or a button by its text.
func (b *tab) follow(text string) {
	b.t.Helper()
	b.do(chromedp.Click(fmt.Sprintf(`//*[self::a or self::button or self::summary][contains(normalize-space(.), %q)]`, text), chromedp.BySearch))
}

// until waits until an expression is true. It asks again and again, because a page that loads forgets what it was asked to wait for.
func (b *tab) until(expression string) {
	b.t.Helper()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		var met bool
		err := chromedp.Run(b.ctx, chromedp.Evaluate("Boolean("+expression+")", &met))
		if err == nil && met {
			return
		}
		select {
		case <-again.C:
		case <-b.ctx.Done():
			b.mu.Lock()
			defer b.mu.Unlock()
			b.t.Fatalf("not so after all the time that the test has: %s; %v; problems of the page: %q", expression, err, b.problems)
		}
	}
}

// value evaluates an expression.
func (b *tab) value(expression string) (text string) {
	b.t.Helper()
	b.do(chromedp.Evaluate("String("+expression+")", &text))
	return text
}

func (b *tab) signIn(email string) {
	b.t.Helper()
	b.do(chromedp.WaitVisible(`input[name=email]`), chromedp.SendKeys(`input[name=email]`, email), chromedp.SendKeys(`input[name=password]`, password),
		chromedp.Click(`button.primary`))
}

// clean checks that nothing went wrong in the page, apart from what is named.
func (b *tab) clean(expected ...string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, problem := range b.problems {
		known := false
		for _, text := range expected {
			known = known || strings.Contains(problem, text)
		}
		if !known {
			b.t.Errorf("the page has a problem: %s", problem)
		}
	}
}

// busyShop returns a shop with a product that was viewed three times and bought once, counted already.
func busyShop(t *testing.T) (s shop, id string) {
	t.Helper()
	s = newShop(startPlatform(t))
	_, id = s.create("TEA 1/2")
	s.send(http.MethodPost, "/purchases", s.key, `{"sku":"TEA 1/2","quantity":2,"user_id":"u"}`)
	for range 3 {
		s.send(http.MethodPost, "/events?wait=aggregated", s.key, `{"type":"view","sku":"TEA 1/2","user_id":"u"}`)
	}
	s.send(http.MethodPost, "/events?wait=aggregated", s.key, `{"type":"Signed <b>Up</b>","user_id":"ü"}`)
	return s, id
}

// TestDashboard uses the dashboard as a person does: it shows what the API says, the address holds its state, and nothing of it
// violates its policy.
func TestDashboard(t *testing.T) {
	t.Parallel()
	s, id := busyShop(t)
	b := newTab(t, s.url)
	b.open("/")
	b.signIn("admin@example.com")
	figure := func(name string) string {
		return fmt.Sprintf(`[...document.querySelectorAll(".figure")].find(f => f.querySelector(".name").textContent === %q)?.querySelector(".value").textContent`, name)
	}
	b.until(figure("Events") + ` === "4"`)
	b.do(chromedp.WaitVisible(`//td//a[text()="Product"]`, chromedp.BySearch))
	for name, want := range map[string]string{"Users": "≈ 2", "Events": "4", "Views": "3", "Orders": "1", "Units sold": "2", "Net revenue, EUR": "€200.00", "Orders per view": "33.3%"} {
		if got := b.value(figure(name)); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	b.sees("Signed <b>Up</b>") // as text
	b.sees("with everything that is stored")

	b.follow("7 days")
	b.follow("Orders")
	b.follow("compare")
	if got := b.value("location.search"); !strings.Contains(got, "period=7+days") || !strings.Contains(got, "metric=purchases") || !strings.Contains(got, "compare=previous") {
		t.Errorf("the address is %s", got)
	}
	b.do(chromedp.Reload())
	b.until(`document.querySelector(".figure[aria-pressed=true] .name")?.textContent === "Orders"`) // the session is still there
	b.do(chromedp.NavigateBack())
	if got := b.value("location.search"); strings.Contains(got, "compare") {
		t.Errorf("the way back leads to %s", got)
	}

	b.follow("Products")
	b.sees("€100.00")
	b.do(chromedp.SendKeys(`input[type=search]`, "1/2"))
	b.until(`location.search.includes("q=1%2F2")`)
	b.do(chromedp.Click(`//td/a[text()="Product"]`, chromedp.BySearch), chromedp.WaitVisible(`.chart canvas`))
	if got := b.value("location.pathname"); got != "/app/products/"+id {
		t.Errorf("the product is at %s", got)
	}
	b.sees("TEA 1/2")
	b.follow("Events")
	b.sees("Names")
	b.follow("Signed <b>Up</b>")
	b.until(`document.querySelector("section h2")?.textContent === "Signed <b>Up</b>"`)
	b.open("/app/nowhere")
	b.sees("There is no such page.")
	b.clean()
}

// TestDashboardSession checks that scripts of a page cannot read what keeps its session, that a wrong password is told, that a
// session ends in all tabs, and that nobody sees numbers afterwards.
func TestDashboardSession(t *testing.T) {
	t.Parallel()
	s, _ := busyShop(t)
	b := newTab(t, s.url)
	b.open("/app/events")
	b.do(chromedp.WaitVisible(`input[name=email]`), chromedp.SendKeys(`input[name=email]`, "viewer@example.com"), chromedp.SendKeys(`input[name=password]`, "not it"),
		chromedp.Click(`button.primary`))
	b.sees("The e-mail address or the password is wrong.")
	b.open("/app/events")
	b.signIn("admin@example.com")
	b.sees("Names")
	if got := b.value(`document.cookie + JSON.stringify({...localStorage, ...sessionStorage})`); got != `{"hpa-session":"there"}` {
		t.Errorf("scripts see %s", got)
	}
	b.open("/?project=" + url.QueryEscape("x'; echo gone; '"))
	b.sees("You may not see this.")
	b.follow("What is this number?")
	if got := b.value(`document.querySelector("pre").textContent`); !strings.Contains(got, `'Project: x'\''; echo gone; '\'''`) {
		t.Errorf("the command is %s", got)
	}
	b.open("/app/events")
	b.sees("Names")

	second, closeSecond := chromedp.NewContext(b.ctx)
	defer closeSecond()
	other := &tab{t: t, ctx: second, url: s.url}
	other.open("/")
	other.sees("Most viewed products")
	b.follow("Sign out")
	b.do(chromedp.WaitVisible(`input[name=email]`))
	other.do(chromedp.WaitVisible(`input[name=email]`))
	other.do(chromedp.Reload(), chromedp.WaitVisible(`input[name=email]`))
	b.clean("/auth/login", "403", "/auth/projects/x") // the wrong password, and the project that there is not
}

// TestDashboardOfAnEndedSession checks that a page asks to sign in when its session was ended elsewhere.
func TestDashboardOfAnEndedSession(t *testing.T) {
	t.Parallel()
	s, _ := busyShop(t)
	b := newTab(t, s.url)
	b.open("/")
	b.signIn("admin@example.com")
	b.sees("Most viewed products")
	s.send(http.MethodDelete, "/auth/sessions", s.admin, "")
	b.do(chromedp.Reload(), chromedp.WaitVisible(`input[name=email]`))
	b.clean("/auth/refresh", "401") // what the page asked for when the session ended
}
