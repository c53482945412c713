package client_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hp-analytics/hp-analytics/client"
)

// issuer is an auth service whose access tokens are valid for a minute and whose refresh tokens can be used once.
type issuer struct {
	mu             sync.Mutex
	calls          []string // "login", "refresh", or the token of another request
	issued         int
	refuseRefresh  bool
	revoked        map[string]bool // access tokens
	loginProblem   http.HandlerFunc
	expiresSeconds int
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch r.URL.Path {
	case "/auth/login":
		i.calls = append(i.calls, "login")
		if i.loginProblem != nil {
			problem := i.loginProblem
			i.loginProblem = nil
			problem(w, r)
			return
		}
		i.issue(w)
	case "/auth/refresh":
		i.calls = append(i.calls, "refresh")
		body, _ := io.ReadAll(r.Body)
		if i.refuseRefresh || !strings.Contains(string(body), fmt.Sprintf(`"refresh-%d"`, i.issued)) {
			refuse(401, "invalid_refresh_token", "")(w, r)
			return
		}
		i.issue(w)
	default:
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		i.calls = append(i.calls, token)
		if i.revoked[token] {
			refuse(401, "invalid_token", "")(w, r)
			return
		}
		answer(http.StatusOK, `{}`)(w, r)
	}
}

func (i *issuer) issue(w http.ResponseWriter) {
	i.issued++
	answer(http.StatusOK, fmt.Sprintf(`{"access_token":"access-%d","token_type":"Bearer","expires_in":%d,"refresh_token":"refresh-%d"}`,
		i.issued, max(i.expiresSeconds, 60), i.issued))(w, nil)
}

func (i *issuer) client(t *testing.T) *client.Client {
	t.Helper()
	return local(t, i.ServeHTTP, client.WithLogin("ada@example.com", "secret"))
}

func (i *issuer) want(t *testing.T, calls ...string) {
	t.Helper()
	i.mu.Lock()
	defer i.mu.Unlock()
	if got := strings.Join(i.calls, " "); got != strings.Join(calls, " ") {
		t.Errorf("requests:\n%s\nwant\n%s", got, strings.Join(calls, " "))
	}
}

func TestTokensAreRenewedBeforeTheyExpire(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{}
		c := i.client(t)
		for _, wait := range []time.Duration{0, 40 * time.Second, 15 * time.Second} {
			time.Sleep(wait) //nolint:forbidigo // synctest's clock
			if _, err := c.GetMe(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		i.want(t, "login", "access-1", "access-1", "refresh", "access-2")

		i.refuseRefresh = true
		time.Sleep(time.Hour) //nolint:forbidigo // synctest's clock
		if _, err := c.GetMe(t.Context()); err != nil {
			t.Fatal(err)
		}
		i.want(t, "login", "access-1", "access-1", "refresh", "access-2", "refresh", "login", "access-3")
	})
}

func TestRefusedTokenIsRenewedOnce(t *testing.T) {
	t.Parallel()
	i := &issuer{revoked: map[string]bool{"access-1": true}}
	c := i.client(t)
	if _, err := c.GetMe(t.Context()); err != nil {
		t.Fatal(err)
	}
	i.want(t, "login", "access-1", "refresh", "access-2")

	i.revoked = map[string]bool{"access-2": true, "access-3": true}
	_, err := c.GetMe(t.Context())
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Code != "invalid_token" {
		t.Errorf("%v", err)
	}
	i.want(t, "login", "access-1", "refresh", "access-2", "access-2", "refresh", "access-3")
}

func TestConcurrentCallsShareOneLogin(t *testing.T) {
	t.Parallel()
	i := &issuer{}
	c := i.client(t)
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			if _, err := c.GetMe(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if i.issued != 1 {
		t.Errorf("%d logins", i.issued)
	}
}

func TestLoginFailures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{loginProblem: refuse(503, "overloaded", "1")}
		if _, err := i.client(t).CreateProduct(t.Context(), client.ProductCreateRequest{}); err != nil {
			t.Errorf("a login that fails for the moment: %v", err)
		}
		i.want(t, "login", "login", "access-1")
	})
	i := &issuer{loginProblem: refuse(401, "invalid_credentials", "")}
	_, err := i.client(t).GetMe(t.Context())
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Code != "invalid_credentials" || !strings.Contains(err.Error(), "GET /auth/me: log in: ") {
		t.Errorf("%v", err)
	}
	i.want(t, "login")
}

func TestPublicOperationsSendNoCredential(t *testing.T) {
	t.Parallel()
	var sent atomic.Value
	c := local(t, func(w http.ResponseWriter, r *http.Request) {
		sent.Store(r.Header.Get("Authorization"))
		answer(http.StatusOK, `{}`)(w, r)
	}, client.WithAPIKey("hpa_x"))
	if _, err := c.GetJWKS(t.Context()); err != nil || sent.Load() != "" {
		t.Errorf("%v, Authorization %q", err, sent.Load())
	}
	if _, err := c.GetMe(t.Context()); err != nil || sent.Load() != "Bearer hpa_x" {
		t.Errorf("%v, Authorization %q", err, sent.Load())
	}
}
