package host_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/services/auth/accounts"
)

// beside opens another tab of the same browser.
func (b *tab) beside() *tab {
	b.t.Helper()
	ctx, closeTab := chromedp.NewContext(b.ctx)
	b.t.Cleanup(closeTab)
	other := &tab{t: b.t, ctx: ctx, url: b.url}
	chromedp.ListenTarget(ctx, other.listen)
	return other
}

// fill types into the fields of a form by their names, and sends it with the button.
func (b *tab) fill(button string, fields ...string) {
	b.t.Helper()
	for i := 0; i < len(fields); i += 2 {
		input := fmt.Sprintf(`input[name=%s]:not(.away)`, fields[i])
		b.do(chromedp.WaitVisible(input), chromedp.Evaluate(fmt.Sprintf(`document.querySelector(%q).select()`, input), nil), chromedp.SendKeys(input, fields[i+1]))
	}
	b.do(chromedp.Click(fmt.Sprintf(`//form//button[normalize-space(.)=%q]`, button), chromedp.BySearch))
}

// TestTwoTabsOfOneSession renews one session in two tabs, and lets it end by idleness, by age, and by a sign-out in one of them.
func TestTwoTabsOfOneSession(t *testing.T) {
	t.Parallel()
	s := newShop(startPlatformOn(t, string(redistest.New(t).URL), "ACCESS_TOKEN_TTL=31s")) // the page renews it when it is a second old
	b := newTab(t, s.url)
	b.open("/")
	b.signIn("admin@example.com")
	b.do(chromedp.WaitVisible(`nav a`))
	other := b.beside()
	other.open("/app/events")
	other.sees("Names")
	tabs := []*tab{b, other}
	pool := s.database.Pool("hp_auth")
	renewed := func() (n int) {
		const query = `SELECT count(*) FROM auth.refresh_tokens AS r JOIN auth.sessions AS s ON s.id = r.session_id WHERE r.used_at IS NOT NULL AND s.revoked_at IS NULL`
		if err := pool.QueryRow(t.Context(), query).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for i := 0; renewed() < 6; i++ { // both tabs at once
		for _, tab := range tabs {
			place := []string{"Products", "Overview"}[i%2]
			tab.do(chromedp.Click(fmt.Sprintf(`//nav//a[text()=%q]`, place), chromedp.BySearch))
			tab.until(fmt.Sprintf(`document.querySelector("h1")?.textContent === %q`, place))
		}
	}
	for _, tab := range tabs {
		if got := tab.value(`document.querySelector("input[name=email]")`); got != "null" {
			t.Fatal("a tab asks to sign in after renewals")
		}
	}

	for change, said := range map[string]string{
		`UPDATE auth.refresh_tokens SET expires_at = now()`:                     "because it was not used for a long time",
		`UPDATE auth.sessions SET created_at = created_at - interval '91 days'`: "because it had reached its greatest age",
	} {
		if _, err := pool.Exec(t.Context(), change); err != nil {
			t.Fatal(err)
		}
		for _, tab := range tabs {
			tab.ended(said)
		}
		b.signIn("admin@example.com")
		for _, tab := range tabs { // the other tab continues by itself
			tab.do(chromedp.WaitVisible(`nav a`))
		}
	}

	other.do(chromedp.Click(`//button[text()="Sign out"]`, chromedp.BySearch))
	for _, tab := range tabs {
		tab.do(chromedp.WaitVisible(`input[name=email]`))
		if got := tab.value(`document.querySelector("[role=status]")`); got != "null" {
			t.Errorf("a sign-out that was asked for is explained")
		}
	}
	for _, tab := range tabs {
		tab.clean("/auth/refresh")
	}
}

// ended uses a page until it says why the session has ended.
func (b *tab) ended(said string) {
	b.t.Helper()
	b.until(fmt.Sprintf(`(() => {
		const at = document.querySelector("nav a:not([aria-current])");
		if (at) at.click(); // reads, with a token that is renewed before
		return document.querySelector("[role=status]")?.textContent.includes(%q);
	})()`, said))
	b.do(chromedp.WaitVisible(`input[name=email]`))
}

// TestAccountPage changes a password, and ends all sessions.
func TestAccountPage(t *testing.T) {
	t.Parallel()
	s := newShop(startPlatform(t))
	b := newTab(t, s.url)
	b.open("/app/account")
	b.signIn("viewer@example.com")
	b.sees("Sign out everywhere")
	const next = "another good password"
	b.fill("Change password", "password", "not the password", "new_password", next)
	b.do(chromedp.WaitVisible(`form [role=alert]`))
	b.fill("Change password", "password", password, "new_password", next)
	b.sees("The password was changed. Sign-ins that were ended on other devices: 1.") // that of the fixture
	b.open("/app/account")
	b.sees("Sign out everywhere") // this session goes on

	elsewhere := s.send(http.MethodPost, "/auth/login", "", fmt.Sprintf(`{"email":"viewer@example.com","password":%q}`, next))
	b.fill("Sign out everywhere")
	b.do(chromedp.WaitVisible(`input[name=email]:not(.away)`))
	status, _ := s.do(http.MethodPost, "/auth/refresh", "", "application/json", fmt.Sprintf(`{"refresh_token":%q}`, elsewhere["refresh_token"]))
	if status != http.StatusUnauthorized {
		t.Errorf("the session elsewhere goes on: %d", status)
	}
	if got := b.value(`document.querySelector("[role=status]")`); got != "null" {
		t.Error("a sign-out that was asked for is explained")
	}
	b.clean("/auth/password") // the wrong password
}

// TestInvitationLink joins a project by a link: with a new account, and with one that there is.
func TestInvitationLink(t *testing.T) {
	t.Parallel()
	s := newShop(startPlatform(t))
	s.send(http.MethodPost, "/auth/projects", s.admin, `{"slug":"shop-eu","name":"Shop Europe"}`)
	link := func() string {
		made := s.send(http.MethodPost, "/auth/projects/shop-eu/invitations", s.admin, `{"role":"viewer"}`)
		return "/app/join#" + made["token"].(string)
	}
	b := newTab(t, s.url)
	b.open(link())
	b.sees("You are invited")
	b.fill("Create account", "name", "Grace", "email", "grace@example.com", "new_password", password)
	b.sees("Most viewed products")
	if got := b.value("location.search + location.hash"); got != "?project=shop-eu" {
		t.Errorf("the new account is at %s", got)
	}
	b.follow("Sign out")
	b.do(chromedp.WaitVisible(`input[name=email]`))

	if err := accounts.Put(t.Context(), s.database.Pool("hp_auth"), "ada@example.com", password, "user"); err != nil {
		t.Fatal(err)
	}
	used := link()
	b.open(used)
	b.follow("I have an account")
	b.fill("Sign in and join", "email", "ada@example.com", "password", password)
	b.sees("Most viewed products")
	if got := b.value("location.search"); got != "?project=shop-eu" {
		t.Errorf("the account is at %s", got)
	}
	b.open("/app/account")
	b.sees("Shop Europe")
	b.open(used)
	b.follow("Join as ada@example.com")
	b.do(chromedp.WaitVisible(`form [role=alert]`))
	if got := b.value(`document.querySelector("form [role=alert]").textContent`); !strings.Contains(got, "invitation") {
		t.Errorf("a used invitation: %s", got)
	}
	b.open("/app/join")
	b.sees("The link is not complete.")
	b.clean("/auth/invitations/accept") // the used one
}
