package analytics_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn/authntest"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
)

// TestCredentialsEnd repeats a read that is answered from memory until its credentials are refused.
func TestCredentialsEnd(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	member := uuid.NewString()
	key, token := f.apiKey("r", "read"), f.auth.Token(authn.Analyst, member)
	short := f.auth.Token(authn.Analyst, uuid.NewString(), authntest.ExpiresAt(time.Now().Add(2*time.Second)))
	for _, credential := range []string{key, token, short} {
		for range 3 {
			if w := f.get("/analytics/overview", credential); w.Code != http.StatusOK {
				t.Fatalf("%.12s: %d %s", credential, w.Code, w.Body)
			}
		}
	}
	f.exec(`UPDATE auth.api_keys SET revoked_at = now()`)
	f.exec(`DELETE FROM auth.members WHERE user_id = $1`, member)
	for credential, status := range map[string]int{key: http.StatusUnauthorized, token: http.StatusForbidden, short: http.StatusUnauthorized} {
		platformtest.Eventually(t, 20*time.Second, "it is refused", func() bool { // seconds of clock skew are allowed
			return f.get("/analytics/overview", credential).Code == status
		})
	}
}

// TestHotReadsAllocateLittle: a hit allocates the request id, the list that it is in, and nothing else.
func TestHotReadsAllocateLittle(t *testing.T) { //nolint:paralleltest // it measures the whole process
	f := newFixture(t)
	id := f.product(1).String()
	token := "Bearer " + f.auth.Token(authn.Analyst, uuid.NewString())
	for _, path := range []string{
		"/analytics/products/top", "/analytics/products/" + id + "/timeseries", "/analytics/overview", "/analytics/users/me/summary",
		"/analytics/products/timeseries?sku=sku-1", "/analytics/events?limit=5",
	} {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("Authorization", token)
		w := quiet{http.Header{}}
		f.routes.ServeHTTP(w, r)
		platformtest.Eventually(t, 20*time.Second, path+" allocates little", func() bool { // one run may renew the answer
			return testing.AllocsPerRun(50, func() { f.routes.ServeHTTP(w, r) }) <= 3
		})
	}
}

// quiet is a ResponseWriter that costs nothing.
type quiet struct{ header http.Header }

func (q quiet) Header() http.Header         { return q.header }
func (q quiet) Write(p []byte) (int, error) { return len(p), nil }
func (q quiet) WriteHeader(int)             {}
