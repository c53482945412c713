package auth_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

func decode[T any](t *testing.T, w *httptest.ResponseRecorder) (answer T) {
	t.Helper()
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("status %d with body %q: %v", w.Code, w.Body, err)
	}
	return answer
}

func TestReuseRevokesTheFamily(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	anyone := o.start()
	anyone.register("ada@example.com")
	first := anyone.login("ada@example.com", goodPassword).RefreshToken
	other := anyone.login("ada@example.com", goodPassword).RefreshToken // another device

	second := decode[tokens](t, anyone.refresh(first)).RefreshToken
	third := decode[tokens](t, anyone.refresh(second)).RefreshToken
	wantProblem(t, anyone.refresh(first), 401, "refresh_token_reused")
	wantProblem(t, anyone.refresh(third), 401, "invalid_refresh_token")
	if w := anyone.refresh(other); w.Code != http.StatusOK {
		t.Errorf("another login was revoked as well: %s", w.Body)
	}
}

// TestConcurrentRefresh uses one token in many requests at once, as tabs of one browser do: all get the same successor.
func TestConcurrentRefresh(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	replicas := []client{o.start(), o.start()}
	replicas[0].register("ada@example.com")
	token := replicas[0].login("ada@example.com", goodPassword).RefreshToken

	answers := make([]*httptest.ResponseRecorder, 8)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i] = replicas[i%2].refresh(token) })
	}
	wg.Wait()
	successor := decode[tokens](t, answers[0]).RefreshToken
	for _, w := range answers {
		if got := decode[tokens](t, w).RefreshToken; w.Code != http.StatusOK || got != successor {
			t.Errorf("status %d, the token is %s, want %s", w.Code, got, successor)
		}
	}
	if w := replicas[0].refresh(successor); w.Code != http.StatusOK {
		t.Errorf("the successor is refused: %s", w.Body)
	}
}

func TestRefreshTokensExpire(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	anyone := o.start()
	anyone.register("ada@example.com")
	token := anyone.login("ada@example.com", goodPassword).RefreshToken
	o.execute(`UPDATE auth.refresh_tokens SET expires_at = now()`)
	wantProblem(t, anyone.refresh(token), 401, "session_idle")
}
