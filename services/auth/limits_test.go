package auth_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/services/auth"
)

// tryLogin tries a wrong password.
func tryLogin(c client, email string) *httptest.ResponseRecorder {
	return c.do(http.MethodPost, "/auth/login", credentials(email, "wrong"))
}

// wantLimited checks that attempts are answered with 401 up to the limit and with 429 beyond it.
func wantLimited(t *testing.T, limit int, try func(i int) *httptest.ResponseRecorder) {
	t.Helper()
	for i := range limit {
		w := try(i)
		if w.Code != http.StatusUnauthorized || len(w.Header().Values("RateLimit")) != 3 || len(w.Header().Values("RateLimit-Policy")) != 3 {
			t.Fatalf("try %d: status %d, header %v: %s", i+1, w.Code, w.Header(), w.Body)
		}
	}
	w := try(limit)
	wantProblem(t, w, http.StatusTooManyRequests, "rate_limited")
	if w.Header().Get("Retry-After") == "" {
		t.Errorf("no Retry-After in %v", w.Header())
	}
}

func TestLoginLimits(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.change = func(cfg *auth.Config) { cfg.LoginAccountLimit, cfg.LoginAddressLimit = 3, 6 }
	here, there := o.start(), o.start()
	replicas := []client{here, there}
	here.register("ada@example.com")

	t.Run("per account and network, over all replicas", func(t *testing.T) {
		attacker := func(i int) client { return replicas[i%2].from(fmt.Sprintf("[2001:db8::%d]:1", i+1)) }
		wantLimited(t, 3, func(i int) *httptest.ResponseRecorder { return tryLogin(attacker(i), "Ada@example.com") })
		// Even the right password is refused: an attacker must not learn that it was right.
		w := attacker(9).do(http.MethodPost, "/auth/login", credentials("ada@example.com", goodPassword))
		wantProblem(t, w, http.StatusTooManyRequests, "rate_limited")
		here.from("10.0.0.99:1").login("ada@example.com", goodPassword) // the owner is not locked out
	})
	t.Run("unknown accounts just the same", func(t *testing.T) {
		wantLimited(t, 3, func(i int) *httptest.ResponseRecorder {
			return tryLogin(here.from(fmt.Sprintf("10.0.1.1:%d", i)), "nobody@example.com")
		})
	})
	for name, address := range map[string]string{
		"per address":  "10.0.2.1:%d",
		"per IPv6 /64": "[2001:db8:1:2::%d]:1",
	} {
		t.Run(name, func(t *testing.T) {
			wantLimited(t, 6, func(i int) *httptest.ResponseRecorder {
				return tryLogin(replicas[i%2].from(fmt.Sprintf(address, i+1)), fmt.Sprintf("%s-%d@example.com", strings.Fields(name)[1], i))
			})
		})
	}
}

// TestOnlyFailuresCount logs in more often than the limits of failures allow.
func TestOnlyFailuresCount(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.change = func(cfg *auth.Config) { cfg.LoginAccountLimit, cfg.LoginAccountTotal = 3, 4 }
	anyone := o.start()
	anyone.register("ada@example.com")
	for range 6 {
		anyone.login("ada@example.com", goodPassword)
	}
	if w := tryLogin(anyone, "ada@example.com"); w.Code != http.StatusUnauthorized {
		t.Errorf("the first failure: %s", w.Body)
	}
}

// TestSlowLimitOverAllNetworks spreads wrong passwords over many networks.
func TestSlowLimitOverAllNetworks(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.change = func(cfg *auth.Config) { cfg.LoginAccountTotal = 4 }
	anyone := o.start()
	wantLimited(t, 4, func(i int) *httptest.ResponseRecorder {
		return tryLogin(anyone.from(fmt.Sprintf("10.0.0.%d:1", i)), "ada@example.com")
	})
}

func TestRegisterAndRefreshLimits(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.change = func(cfg *auth.Config) { cfg.RegisterLimit, cfg.RefreshLimit = 2, 3 }
	anyone := o.start()
	for i := range 2 {
		anyone.register(fmt.Sprintf("u%d@example.com", i))
	}
	wantProblem(t, anyone.do(http.MethodPost, "/auth/register", credentials("u3@example.com", goodPassword)), 429, "rate_limited")
	token := anyone.login("u0@example.com", goodPassword).RefreshToken
	for range 3 {
		token = decode[tokens](t, anyone.refresh(token)).RefreshToken
	}
	wantProblem(t, anyone.refresh(token), 429, "rate_limited")
	if w := anyone.from("10.1.1.1:1").refresh(token); w.Code != http.StatusOK {
		t.Errorf("the refused request consumed the token: %s", w.Body)
	}
}

// wantLimitedAfter checks that tries are answered with a code about limit times, and with 429 from then on: a refund before may
// have left one unit taken.
func wantLimitedAfter(t *testing.T, limit, status int, code string, try func(i int) *httptest.ResponseRecorder) {
	t.Helper()
	for i := range limit + 1 {
		w := try(i)
		if w.Code == http.StatusTooManyRequests && i >= limit-1 {
			return
		}
		var fields []string
		if code == "email_taken" {
			fields = []string{"/email email_taken"}
		}
		wantProblem(t, w, status, code, fields...)
	}
	t.Errorf("%d tries are answered", limit+1)
}

// TestWrongOldPasswordsCount checks that a stolen access token is no way around the limits of a login.
func TestWrongOldPasswordsCount(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.change = func(cfg *auth.Config) { cfg.LoginAccountLimit = 3 }
	anyone := o.start()
	anyone.register("ada@example.com")
	stolen := anyone.as(anyone.login("ada@example.com", goodPassword).AccessToken)
	wantLimitedAfter(t, 3, 403, "wrong_password", func(int) *httptest.ResponseRecorder {
		return stolen.do(http.MethodPost, "/auth/password", `{"password":"wrong","new_password":"`+otherPassword+`"}`)
	})
	wantProblem(t, tryLogin(anyone, "ada@example.com"), 429, "rate_limited") // one budget
}

// TestPasswordChangesAreLimited changes a password again and again: each change costs two hashes and a session.
func TestPasswordChangesAreLimited(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.change = func(cfg *auth.Config) { cfg.LoginAccountLimit = 4 }
	anyone := o.start()
	anyone.register("ada@example.com")
	caller := anyone.as(anyone.login("ada@example.com", goodPassword).AccessToken)
	passwords := []string{goodPassword, otherPassword}
	body := func(i int) string {
		return fmt.Sprintf(`{"password":%q,"new_password":%q}`, passwords[i%2], passwords[(i+1)%2])
	}
	for i := range 3 { // the login may have left one of the four units taken
		changed := want[struct{ Tokens tokens }](caller, http.StatusOK, http.MethodPost, "/auth/password", body(i))
		caller = anyone.as(changed.Tokens.AccessToken)
	}
	for i := 3; i < 5; i++ {
		if answer := caller.do(http.MethodPost, "/auth/password", body(i)); answer.Code == http.StatusTooManyRequests {
			return
		}
		caller = anyone.as(anyone.login("ada@example.com", passwords[(i+1)%2]).AccessToken)
	}
	t.Error("five changes in a minute, want at most four")
}

// TestLookingUpAccountsIsLimited registers addresses that are taken: that tells who has an account.
func TestLookingUpAccountsIsLimited(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.change = func(cfg *auth.Config) { cfg.RegisterRefusedLimit = 3 }
	anyone := o.start()
	for i := range 5 { // accounts that are made do not count
		anyone.register(fmt.Sprintf("u%d@example.com", i))
	}
	try := func(c client, i int) *httptest.ResponseRecorder {
		return c.do(http.MethodPost, "/auth/register", credentials(fmt.Sprintf("u%d@example.com", i), goodPassword))
	}
	wantLimitedAfter(t, 3, 409, "email_taken", func(i int) *httptest.ResponseRecorder { return try(anyone, i) })
	wantProblem(t, try(anyone, 4), 429, "rate_limited")
	wantProblem(t, try(anyone.from("10.9.9.9:1"), 4), 409, "email_taken", "/email email_taken")
}

// TestLimitsWithoutRedis checks that logins work and are still limited while Redis is down, and after it was wiped.
func TestLimitsWithoutRedis(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	server := redistest.StartServer(t)
	o.redis = server.Config()
	o.change = func(cfg *auth.Config) { cfg.LoginAccountLimit = 3 }
	anyone := o.start()
	anyone.register("ada@example.com")
	try := func(int) *httptest.ResponseRecorder { return tryLogin(anyone, "ada@example.com") }

	wantLimited(t, 3, try)
	if err := redistest.Client(t, o.redis).FlushDB(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	wantProblem(t, try(0), http.StatusTooManyRequests, "rate_limited") // the process has its own count

	server.Stop()
	anyone.register("bob@example.com")
	anyone.login("bob@example.com", goodPassword)
	wantLimited(t, 3, func(int) *httptest.ResponseRecorder { return tryLogin(anyone, "eve@example.com") })
	if w := anyone.do(http.MethodGet, "/ready", ""); w.Code != http.StatusOK {
		t.Errorf("not ready without Redis: %s", w.Body)
	}
}
