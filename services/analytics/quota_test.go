package analytics_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	platformpostgres "github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/analytics"
)

// quotas is an option: what a caller and a project may spend in a minute.
func quotas(caller, project int) func(*analytics.Config) {
	return func(cfg *analytics.Config) { cfg.CostLimit, cfg.ProjectCostLimit = caller, project }
}

func newLimitedFixture(t *testing.T, options ...func(*analytics.Config)) *fixture {
	t.Helper()
	database := dbtest.New(t)
	return newFixtureOn(t, database.Config(), database.Pool(""), redistest.New(t), options...)
}

// left returns what an answer says is left of a quota, -1 if it says nothing.
func left(t *testing.T, w *httptest.ResponseRecorder, quota string) int {
	t.Helper()
	for _, line := range w.Header().Values("RateLimit") {
		if rest, ok := strings.CutPrefix(line, strconv.Quote(quota)+";r="); ok {
			digits, _, _ := strings.Cut(rest, ";")
			n, err := strconv.Atoi(digits)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	return -1
}

// A wide question costs more than a narrow one, one that was asked before nothing, and one that cannot be answered nothing.
func TestCostOfQuestions(t *testing.T) {
	t.Parallel()
	const limit = 10_000
	f := newLimitedFixture(t, quotas(limit, limit))
	f.product(1)
	series := "/analytics/products/00000000-0000-7000-8000-000000000001/timeseries?"
	for name, tc := range map[string]struct {
		path string
		cost int
	}{
		"a day of a series":             {series + "from=2026-01-01&to=2026-01-01", 1},
		"a month of a series":           {series + "from=2026-01-01&to=2026-01-31", 31},
		"a day of a ranking":            {"/analytics/products/top?from=2026-01-01&to=2026-01-01", 10},
		"a month of a ranking":          {"/analytics/products/top?from=2026-01-01&to=2026-01-31", 310},
		"a month of a ranking by users": {"/analytics/products/top?metric=unique_users&from=2026-01-01&to=2026-01-31", 1550},
	} {
		token := f.auth.Token(authn.Analyst, uuid.NewString())
		first := f.get(tc.path, token)
		if first.Code != http.StatusOK {
			t.Fatalf("%s: %d %s", name, first.Code, first.Body)
		}
		// It is the first answer of its caller, and Redis rounds down what is left.
		if got := limit - left(t, first, "analytics"); got < tc.cost || got > tc.cost+1 {
			t.Errorf("%s costs %d, want %d", name, got, tc.cost)
		}
		if policies := first.Header().Values("RateLimit-Policy"); len(policies) != 2 || policies[0] != `"analytics";q=10000;w=60` {
			t.Errorf("%s: policies %q", name, policies)
		}
		if !f.isFree(tc.path, token) || !f.isFree(tc.path, f.auth.Token(authn.Analyst, uuid.NewString())) {
			t.Errorf("%s is charged again while the answer is in the cache", name)
		}
	}
}

// isFree reports whether one of several answers is not charged. The cache renews an answer now and then, and that is.
func (f *fixture) isFree(path, credential string) bool {
	f.t.Helper()
	for range 5 {
		w := f.get(path, credential)
		if w.Code != http.StatusOK {
			f.t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
		if len(w.Header().Values("RateLimit")) == 0 {
			return true
		}
	}
	return false
}

// A caller that has used up its quota is told so, and still gets what is in the cache. Others are not affected.
func TestQuotaOfACaller(t *testing.T) {
	t.Parallel()
	f := newLimitedFixture(t, quotas(300, 0))
	token := f.auth.Token(authn.Analyst, uuid.NewString())
	const wide, other = "/analytics/products/top?from=2026-01-01&to=2026-01-30", "/analytics/products/top?from=2026-02-01&to=2026-02-28"
	if w := f.get(wide, token); w.Code != http.StatusOK || left(t, w, "analytics") != 0 {
		t.Errorf("all of the quota: %d, %v", w.Code, w.Header())
	}
	refused := f.get(other, token)
	if refused.Code != http.StatusTooManyRequests || refused.Header().Get("Retry-After") == "" || left(t, refused, "analytics") < 0 {
		t.Errorf("more than the quota: %d, %v", refused.Code, refused.Header())
	}
	if w := f.get(wide, token); w.Code != http.StatusOK {
		t.Errorf("an answer from the cache: %d %s", w.Code, w.Body)
	}
	if w := f.get(other, f.auth.Token(authn.Analyst, uuid.NewString())); w.Code != http.StatusOK {
		t.Errorf("another caller: %d %s", w.Code, w.Body)
	}
}

// The callers of a project share its quota. What it refuses is not taken from the caller's. Guests have one of their own.
func TestQuotaOfAProject(t *testing.T) {
	t.Parallel()
	f := newLimitedFixture(t, quotas(100_000, 300))
	ask := func(month, role string) *httptest.ResponseRecorder {
		return f.get("/analytics/products/top?from=2026-"+month+"-01&to=2026-"+month+"-28", f.auth.Token(authn.Role(role), uuid.NewString()))
	}
	if w := ask("01", string(authn.Analyst)); w.Code != http.StatusOK || left(t, w, "analytics-project") > 30 {
		t.Errorf("the first caller: %d, %v", w.Code, w.Header())
	}
	refused := ask("02", string(authn.Analyst))
	if refused.Code != http.StatusTooManyRequests || refused.Header().Get("Retry-After") == "" || left(t, refused, "analytics-project") < 0 {
		t.Errorf("the second caller: %d, %v", refused.Code, refused.Header())
	}
	if w := ask("03", string(authn.User)); w.Code != http.StatusOK {
		t.Errorf("a guest: %d %s", w.Code, w.Body)
	}
	if w := ask("04", string(authn.User)); w.Code != http.StatusTooManyRequests {
		t.Errorf("a second guest: %d", w.Code)
	}
	if w := ask("01", string(authn.Viewer)); w.Code != http.StatusOK {
		t.Errorf("an answer from the cache: %d %s", w.Code, w.Body)
	}
}

// An answer that cannot be computed is not charged: whoever tries again until it can be pays once.
func TestFailedAnswersAreFree(t *testing.T) {
	t.Parallel()
	server := dbtest.StartServer(t)
	db, err := platformpostgres.Open(t.Context(), server.Config(), "", "test", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	f := newFixtureOn(t, server.Config(), db, redistest.New(t), quotas(300, 300))
	token := f.auth.Token(authn.Analyst, uuid.NewString())
	if w := f.get("/analytics/products/top?from=2026-01-01&to=2026-01-01", token); w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	f.exec(`ALTER SCHEMA stats RENAME TO away`)
	for range 4 {
		if w := f.get("/analytics/products/top?from=2026-02-01&to=2026-02-20", token); w.Code < http.StatusInternalServerError {
			t.Errorf("without the tables: %d %s", w.Code, w.Body)
		}
	}
	f.exec(`ALTER SCHEMA away RENAME TO stats`)
	if w := f.get("/analytics/products/top?from=2026-02-01&to=2026-02-20", token); w.Code != http.StatusOK {
		t.Errorf("with them: %d %s", w.Code, w.Body)
	}
}
