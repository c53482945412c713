package analytics_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/openapi/openapitest"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/services/analytics"
)

// share stores a share link of a member of the default project and returns the key that reads it.
func (f *fixture) share(report, maker string, left time.Duration) string {
	f.t.Helper()
	key := authn.LinkKey(authn.NewLinkSecret(), "")
	f.exec(`
		INSERT INTO auth.share_links (id, project, name, report, secret_hash, key_hash, owner, expires_at)
		VALUES ($1, 1, 'board', $2, $3, $3, $4, now() + $5::interval)`, uuid.New(), report, authn.HashKey(key), maker, left)
	return key
}

type sharedAnswer struct {
	Code     string
	From     string
	To       string
	Interval string
	Totals   struct{ Views int }
	Product  struct{ SKU string }
}

func (f *fixture) read(path, key string) (status int, answer sharedAnswer) {
	f.t.Helper()
	w := f.get(path, key)
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		f.t.Fatalf("%s: %v", w.Body, err)
	}
	return w.Code, answer
}

const (
	sharedOverview = "/analytics/shared/overview"
	sharedProduct  = "/analytics/shared/product"
)

// TestAShareLinkReadsItsReport checks that a link gives exactly its report, whatever the request says.
func TestAShareLinkReadsItsReport(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	product := f.product(1)
	today := time.Now().UTC().Format(time.DateOnly)
	f.count(product, "2026-03-01", 0, 3, 0, 1, 1)
	f.count(product, "2026-03-02", 0, 4, 0, 1, 1)
	f.count(product, today, 0, 5, 0, 1, 1)
	maker := uuid.NewString()
	f.auth.Join(1, authn.Analyst, maker)
	ofProduct := f.share(fmt.Sprintf(`{"kind":"product","product_id":%q,"from":"2026-03-02","to":"2026-03-02","interval":"day"}`, product), maker, time.Hour)
	status, got := f.read(sharedProduct, ofProduct)
	if status != 200 || got.Totals.Views != 4 || got.Product.SKU != "sku-1" || got.Interval != "day" {
		t.Errorf("%d %+v", status, got)
	}
	if status, got := f.read(sharedProduct+"?from=2026-03-01", ofProduct); status != 422 || got.Code != "validation_failed" {
		t.Errorf("a wider range: %d %+v", status, got)
	}
	if status, got := f.read(sharedOverview, ofProduct); status != 403 || got.Code != "other_report" {
		t.Errorf("another report: %d %+v", status, got)
	}
	overview := f.share(`{"kind":"overview","days":3,"interval":"week"}`, maker, time.Hour)
	status, got = f.read(sharedOverview, overview)
	if want := time.Now().UTC().AddDate(0, 0, -2).Format(time.DateOnly); status != 200 || got.To == today && got.From != want || got.Interval != "week" {
		t.Errorf("%d %+v, want from %s", status, got, want)
	}
	if w := f.get(sharedOverview, overview); w.Header().Get("Cache-Control") != "private, no-cache" || !strings.Contains(w.Body.String(), `"cached":true`) {
		t.Errorf("the second answer: %v %s", w.Header(), w.Body)
	}
}

// TestAShareLinkReadsNothingElse calls every other operation with the key of a link, and those of links with other credentials.
func TestAShareLinkReadsNothingElse(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	maker := uuid.NewString()
	token := f.auth.Token(authn.Owner, maker)
	key := f.share(`{"kind":"overview","days":3,"interval":"day"}`, maker, time.Hour)
	n := 0
	for _, request := range openapitest.Requests(t) {
		if !strings.HasPrefix(request.Path, "/analytics/") {
			continue
		}
		if strings.HasPrefix(request.Path, "/analytics/shared/") {
			if status, got := f.read(request.Target(), token); status != 403 || got.Code != "forbidden" {
				t.Errorf("%s by an owner: %d %+v", request.Path, status, got)
			}
			continue
		}
		n++
		if status, got := f.read(request.Target(), key); status != 403 || got.Code != "forbidden" {
			t.Errorf("%s by a link: %d %+v", request.Path, status, got)
		}
	}
	if n < 8 {
		t.Errorf("only %d operations were called", n)
	}
}

// TestEndedShareLinks checks that a link without a right is refused. Each key is new to the service, so none is cached.
func TestEndedShareLinks(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const report = `{"kind":"overview","days":3,"interval":"day"}`
	maker := uuid.NewString()
	for name, tc := range map[string]struct {
		role authn.Role
		left time.Duration
		end  string
		code string
	}{
		"by a viewer":             {authn.Viewer, time.Hour, ``, "invalid_share_link"},
		"expired":                 {authn.Analyst, -time.Second, ``, "share_link_expired"},
		"revoked":                 {authn.Analyst, time.Hour, `UPDATE auth.share_links SET revoked_at = now()`, "invalid_share_link"},
		"by a disabled account":   {authn.Owner, time.Hour, `UPDATE auth.users SET disabled_at = now()`, "invalid_share_link"},
		"by an account that left": {authn.Owner, time.Hour, `DELETE FROM auth.members`, "invalid_share_link"},
		"of nobody":               {authn.Owner, time.Hour, `DELETE FROM auth.share_links`, "invalid_share_link"},
		"by an owner":             {authn.Owner, time.Hour, ``, ""},
	} {
		f.auth.Join(1, tc.role, maker)
		f.exec(`UPDATE auth.users SET disabled_at = NULL`)
		key := f.share(report, maker, tc.left)
		if tc.end != "" {
			f.exec(tc.end)
		}
		status, got := f.read(sharedOverview, key)
		if got.Code != tc.code || tc.code != "" && status != http.StatusUnauthorized {
			t.Errorf("a link %s: %d %s, want %q", name, status, got.Code, tc.code)
		}
	}
}

// TestLimitOfAShareLink checks that each link has a limit of its own, for answers from the cache as well.
func TestLimitOfAShareLink(t *testing.T) {
	t.Parallel()
	f := newLimitedFixture(t, func(cfg *analytics.Config) { cfg.SharedLimit = 3 })
	maker := uuid.NewString()
	f.auth.Join(1, authn.Owner, maker)
	const report = `{"kind":"overview","days":3,"interval":"day"}`
	busy, other := f.share(report, maker, time.Hour), f.share(report, maker, time.Hour)
	for range 3 {
		if status, got := f.read(sharedOverview, busy); status != 200 {
			t.Fatalf("%d %+v", status, got)
		}
	}
	if w := f.get(sharedOverview, busy); w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if status, got := f.read(sharedOverview, other); status != 200 {
		t.Errorf("another link: %d %+v", status, got)
	}
}
