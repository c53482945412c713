package auth_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/services/auth"
)

// serve puts a handler behind a port for the time of a test.
func serve(t *testing.T, handler http.Handler) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// forge signs claims with a key of the test's own.
func forge(t *testing.T, method jwt.SigningMethod, key any, kid string) string {
	t.Helper()
	token := jwt.NewWithClaims(method, authn.Claims{
		Role: authn.Admin,
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: authn.Issuer, Audience: jwt.ClaimStrings{authn.Audience}, Subject: uuid.NewString(),
			ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Hour)),
		},
	})
	token.Header["kid"] = kid
	signed, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func TestRights(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	anyone := o.start()
	anyone.register("user@example.com")
	o.put("analyst@example.com", goodPassword, authn.Analyst)
	admin := o.admin(anyone)
	keys := want[struct{ Keys []map[string]string }](anyone, http.StatusOK, http.MethodGet, "/auth/.well-known/jwks.json", "").Keys
	kid, public := keys[0]["kid"], keys[0]["x"]
	_, foreign, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ingest := want[apiKey](admin, http.StatusCreated, http.MethodPost, "/auth/api-keys", `{"name":"a","scopes":["ingest","read"]}`).Key
	signature := admin.token[strings.LastIndex(admin.token, ".")+1:]

	const get, post, del = http.MethodGet, http.MethodPost, http.MethodDelete
	restricted := []struct{ method, path string }{
		{get, "/auth/api-keys"}, {post, "/auth/api-keys"}, {del, "/auth/api-keys/" + uuid.NewString()},
		{get, "/auth/invitations"}, {post, "/auth/invitations"}, {del, "/auth/invitations/" + uuid.NewString()},
		{get, "/auth/users"}, {http.MethodPatch, "/auth/users/" + uuid.NewString()},
		{post, "/auth/users/" + uuid.NewString() + "/password"}, {del, "/auth/users/" + uuid.NewString() + "/sessions"},
	}
	for name, test := range map[string]struct {
		token  string
		status int
		code   string
	}{
		"nobody":             {"", 401, "credentials_required"},
		"no token":           {"abc", 401, "invalid_token"},
		"alg none":           {forge(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, kid), 401, "invalid_token"},
		"HMAC by public key": {forge(t, jwt.SigningMethodHS256, []byte(public), kid), 401, "invalid_token"},
		"other key, our id":  {forge(t, jwt.SigningMethodEdDSA, foreign, kid), 401, "invalid_token"},
		"other key, its id":  {forge(t, jwt.SigningMethodEdDSA, foreign, "other"), 401, "invalid_token"},
		"tampered":           {strings.Replace(admin.token, "."+signature, ".AAAA"+signature[4:], 1), 401, "invalid_token"},
		"unknown key":        {authn.NewKey(), 401, "invalid_api_key"},
		"user":               {anyone.login("user@example.com", goodPassword).AccessToken, 403, "forbidden"},
		"analyst":            {anyone.login("analyst@example.com", goodPassword).AccessToken, 403, "forbidden"},
		"key without admin":  {ingest, 403, "forbidden"},
	} {
		for _, request := range restricted {
			t.Run(name+" "+request.method+" "+request.path, func(t *testing.T) {
				wantProblem(t, anyone.as(test.token).do(request.method, request.path, "no JSON"), test.status, test.code)
			})
		}
	}
	wantProblem(t, anyone.do(get, "/auth/me", ""), 401, "credentials_required")
	wantProblem(t, anyone.as(ingest).do(get, "/auth/me", ""), 403, "forbidden")
	t.Run("open operations ignore credentials", func(t *testing.T) {
		anyone.as("expired or worse").login("user@example.com", goodPassword)
	})
	t.Run("account is gone", func(t *testing.T) {
		gone := anyone.as(anyone.login("user@example.com", goodPassword).AccessToken)
		o.execute(`DELETE FROM auth.users WHERE email = 'user@example.com'`)
		wantProblem(t, gone.do(get, "/auth/me", ""), 401, "account_gone")
	})
}

func TestExpiredToken(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.change = func(cfg *auth.Config) { cfg.AccessTTL = -time.Minute } // issued when it has ended long ago
	anyone := o.start()
	anyone.register("ada@example.com")
	// The contract promises a positive expires_in, so this answer is not held against it.
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/auth/login", strings.NewReader(credentials("ada@example.com", goodPassword)))
	unchecked := o.lastRoutes
	unchecked.ServeHTTP(w, r)
	token := decode[tokens](t, w).AccessToken
	wantProblem(t, anyone.as(token).do(http.MethodGet, "/auth/me", ""), 401, "token_expired")
}
