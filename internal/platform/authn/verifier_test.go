package authn_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn/authntest"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
)

// fakeKeys is a Store that finds keys by a function and counts the look-ups.
type fakeKeys struct {
	authn.ProjectStore

	find  func(key string) (authn.Key, error)
	calls atomic.Int32
}

func (k *fakeKeys) FindKey(_ context.Context, key string) (authn.Key, error) {
	k.calls.Add(1)
	return k.find(key)
}

func unknownKey(string) (authn.Key, error) {
	return authn.Key{}, errs.New(errs.NotFound, "not_found", "There is no such key.")
}

func newVerifier(t *testing.T, cfg authn.Config, keys authn.Store) *authn.Verifier {
	t.Helper()
	v := authn.NewVerifier(cfg, keys, platformtest.Logger(t))
	platformtest.Go(t, v.Run)
	return v
}

// newReadyVerifier returns a verifier that has the keys of auth.
func newReadyVerifier(t *testing.T, auth *authntest.Auth, keys authn.Store) *authn.Verifier {
	t.Helper()
	v := newVerifier(t, auth.Config(), keys)
	platformtest.Eventually(t, time.Minute, "the key set is fetched", func() bool { return v.Ready(t.Context()) == nil })
	return v
}

func TestBadAuthorizationHeaders(t *testing.T) {
	t.Parallel()
	auth := authntest.New(t)
	v := newReadyVerifier(t, auth, &fakeKeys{find: unknownKey})
	cases := map[string]string{
		"":                   "invalid_authorization",
		"Bearer":             "invalid_authorization",
		"Bearer ":            "invalid_authorization",
		"Basic dXNlcjpwYXNz": "invalid_api_key",
		"Basic dXNlcg==":     "invalid_authorization", // no colon
		"Basic ???":          "invalid_authorization",
		"Bearer not-a-token": "invalid_token",
		"Bearer a.b.c":       "invalid_token",
		"Bearer hpa_unknown": "invalid_api_key",
		"bearer hpa_unknown": "invalid_api_key", // the scheme is case-insensitive
		"Bearer " + auth.Token(authn.User, "not a uuid"):                                                        "invalid_token",
		"Bearer " + auth.Token(authn.User, uuid.NewString(), authntest.ExpiresAt(time.Now().Add(-time.Minute))): "token_expired",
	}
	for header, want := range cases {
		_, err := v.Authenticate(t.Context(), header)
		if !errs.Is(err, errs.Unauthenticated) || errs.CodeOf(err) != want {
			t.Errorf("%.30q: %v, want %s", header, err, want)
		}
		if want == "invalid_authorization" && !strings.Contains(err.Error(), "an API key as the user name of Basic") {
			t.Errorf("%.30q: %v does not name Basic", header, err)
		}
	}
}

// TestVerifierStartsBeforeAuth starts a verifier before the JWKS is available. It must retry without a token that asks for a
// key, and before the next regular fetch.
func TestVerifierStartsBeforeAuth(t *testing.T) {
	t.Parallel()
	auth := authntest.New(t)
	var up atomic.Bool
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !up.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		http.Redirect(w, r, auth.JWKSURL(), http.StatusTemporaryRedirect)
	}))
	defer proxy.Close()
	v := newVerifier(t, authn.Config{JWKSURL: proxy.URL, JWKSRefresh: time.Hour}, &fakeKeys{find: unknownKey})
	if v.Ready(t.Context()) == nil {
		t.Error("ready without a key")
	}
	up.Store(true)
	platformtest.Eventually(t, time.Minute, "the keys are fetched", func() bool { return v.Ready(t.Context()) == nil })
}

// A tampered token must not be accepted because the original is cached.
func TestTamperedTokenIsNotServedFromCache(t *testing.T) {
	t.Parallel()
	auth := authntest.New(t)
	v := newReadyVerifier(t, auth, &fakeKeys{find: unknownKey})
	token := auth.Token(authn.User, uuid.NewString())
	if _, err := v.Authenticate(t.Context(), "Bearer "+token); err != nil {
		t.Fatal(err)
	}
	header, rest, _ := strings.Cut(token, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	flipped := "A" + signature[1:]
	if signature[0] == 'A' {
		flipped = "B" + signature[1:]
	}
	if _, err := v.Authenticate(t.Context(), "Bearer "+header+"."+payload+"."+flipped); !errs.Is(err, errs.Unauthenticated) {
		t.Errorf("tampered: %v", err)
	}
}

func TestTokensWhileTheKeySetIsUnavailable(t *testing.T) {
	t.Parallel()
	auth := authntest.New(t)
	var up atomic.Bool
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !up.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		http.Redirect(w, r, auth.JWKSURL(), http.StatusTemporaryRedirect)
	}))
	defer proxy.Close()
	v := newVerifier(t, authn.Config{JWKSURL: proxy.URL, JWKSRefresh: time.Hour}, &fakeKeys{find: unknownKey})
	token := "Bearer " + auth.Token(authn.User, uuid.NewString())

	if _, err := v.Authenticate(t.Context(), token); !errs.Is(err, errs.Unavailable) {
		t.Errorf("before the first key set: %v, want Unavailable (503), not 401: the token may be good", err)
	}
	if v.Ready(t.Context()) == nil {
		t.Error("ready without a key")
	}
	up.Store(true)
	platformtest.Eventually(t, time.Minute, "the keys are fetched", func() bool {
		_, err := v.Authenticate(t.Context(), token)
		return err == nil
	})
	if err := v.Ready(t.Context()); err != nil {
		t.Errorf("Ready: %v", err)
	}
}

func TestAPIKeyLookUpsAreCachedForFiveSeconds(t *testing.T) {
	t.Parallel()
	revoked := atomic.Bool{}
	want := authn.Principal{KeyID: "k1", Scopes: []authn.Scope{authn.ScopeIngest}}
	good, bad := authn.NewKey(), authn.NewKey()
	keys := &fakeKeys{find: func(key string) (authn.Key, error) {
		if revoked.Load() || key != good {
			return unknownKey(key)
		}
		return authn.Key{Principal: want}, nil
	}}
	v := newReadyVerifier(t, authntest.New(t), keys)
	for range 100 {
		p, err := v.Authenticate(t.Context(), "Bearer "+good)
		if err != nil || p.ID() != "key:k1" || !p.HasScope(authn.ScopeIngest) || p.HasScope(authn.ScopeRead) {
			t.Fatalf("%+v, %v", p, err)
		}
		if _, err := v.Authenticate(t.Context(), "Bearer "+bad); !errs.Is(err, errs.Unauthenticated) {
			t.Fatal(err)
		}
	}
	if got := keys.calls.Load(); got != 2 {
		t.Errorf("%d look-ups, want one for each key, unknown ones too", got)
	}
	revoked.Store(true)
	begin := time.Now()
	platformtest.Eventually(t, time.Minute, "the revoked key stops working", func() bool {
		_, err := v.Authenticate(t.Context(), "Bearer "+good)
		return errs.Is(err, errs.Unauthenticated)
	})
	if took := time.Since(begin); took > 6*time.Second {
		t.Errorf("a revoked key worked for another %s", took)
	}
}

func TestOutagesOfTheKeyStoreAreNotCached(t *testing.T) {
	t.Parallel()
	var down atomic.Bool
	down.Store(true)
	good := authn.NewKey()
	keys := &fakeKeys{find: func(string) (authn.Key, error) {
		if down.Load() {
			return authn.Key{}, errs.New(errs.Unavailable, "database_unavailable", "Later.").Because(errors.New("refused"))
		}
		return authn.Key{Principal: authn.Principal{KeyID: "k1"}}, nil
	}}
	v := newReadyVerifier(t, authntest.New(t), keys)
	if _, err := v.Authenticate(t.Context(), "Bearer "+good); !errs.Is(err, errs.Unavailable) {
		t.Errorf("down: %v", err)
	}
	down.Store(false)
	if _, err := v.Authenticate(t.Context(), "Bearer "+good); err != nil {
		t.Errorf("back: %v", err)
	}
}

func TestRequire(t *testing.T) {
	t.Parallel()
	want := authn.Principal{Subject: "s", Role: authn.User}
	if got, err := authn.Require(authn.WithPrincipal(t.Context(), want)); err != nil || got.ID() != want.ID() {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := authn.Require(t.Context()); !errors.Is(err, authn.ErrNoCredentials) || !errs.Is(err, errs.Unauthenticated) {
		t.Errorf("anonymous: %v", err)
	}
}

func TestScopes(t *testing.T) {
	t.Parallel()
	key := func(scopes ...authn.Scope) authn.Principal { return authn.Principal{KeyID: "k", Scopes: scopes} }
	for _, tc := range []struct {
		name  string
		p     authn.Principal
		scope authn.Scope
		want  bool
	}{
		{"a key without scopes", key(), authn.ScopeRead, false},
		{"another scope", key(authn.ScopeIngest), authn.ScopeRead, false},
		{"one of two scopes", key(authn.ScopeIngest, authn.ScopeRead), authn.ScopeRead, true},
		{"two scopes are not admin", key(authn.ScopeIngest, authn.ScopeRead), authn.ScopeAdmin, false},
		{"admin implies the others", key(authn.ScopeAdmin), authn.ScopeRead, true},
		{"users have roles, not scopes", authn.Principal{Subject: "s", Role: authn.Admin}, authn.ScopeIngest, false},
	} {
		if got := tc.p.HasScope(tc.scope); got != tc.want {
			t.Errorf("%s: %t", tc.name, got)
		}
	}
}
