package auth_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
)

func TestPostgresDown(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	server := dbtest.StartServer(t)
	o.postgres = server.Config()
	anyone := o.start()
	anyone.register("ada@example.com")
	pair := anyone.login("ada@example.com", goodPassword)
	refresh := `{"refresh_token":"` + pair.RefreshToken + `"}`

	server.Stop()
	for _, request := range []struct{ method, path, body string }{
		{http.MethodPost, "/auth/register", credentials("bob@example.com", goodPassword)},
		{http.MethodPost, "/auth/login", credentials("ada@example.com", goodPassword)},
		{http.MethodPost, "/auth/refresh", refresh},
		{http.MethodPost, "/auth/logout", refresh},
		{http.MethodGet, "/auth/me", ""}, // the token is valid, but the account cannot be read
	} {
		w := anyone.as(pair.AccessToken).do(request.method, request.path, request.body)
		wantProblem(t, w, http.StatusServiceUnavailable, "database_unavailable")
		if w.Header().Get("Retry-After") == "" {
			t.Errorf("%s %s: no Retry-After", request.method, request.path)
		}
	}
	// Other services keep verifying tokens: serving the key set does not need the database.
	want[any](anyone, http.StatusOK, http.MethodGet, "/auth/.well-known/jwks.json", "")
	platformtest.Eventually(t, time.Minute, "the service is not ready", func() bool { // the answer is shared for a second
		return anyone.do(http.MethodGet, "/ready", "").Code == http.StatusServiceUnavailable
	})
	if w := anyone.do(http.MethodGet, "/health", ""); w.Code != http.StatusOK {
		t.Errorf("not alive without Postgres: %s", w.Body)
	}

	server.Restart()
	platformtest.Eventually(t, time.Minute, "the service is ready again", func() bool {
		return anyone.do(http.MethodGet, "/ready", "").Code == http.StatusOK
	})
	if w := anyone.refresh(pair.RefreshToken); w.Code != http.StatusOK {
		t.Errorf("the outage consumed the refresh token: %s", w.Body)
	}
}
