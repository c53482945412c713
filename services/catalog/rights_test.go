package catalog_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn/authntest"
)

// apiKey stores an API key as the auth service does, and returns it.
func (s *shop) apiKey(scopes ...string) string {
	s.t.Helper()
	key := authn.NewKey()
	s.execute(`
		INSERT INTO auth.api_keys (id, project, name, key_hash, prefix, scopes)
		VALUES ($1, 1, 'test', $2, $3, $4)`, uuid.New(), authn.HashKey(key), key[:8], scopes)
	return key
}

// writes are requests that change the catalog, each with a body that is not valid: who may not write must not learn that.
var writes = []struct{ method, path string }{
	{http.MethodPost, "/products"},
	{http.MethodPost, "/products/bulk"},
	{http.MethodPatch, "/products/0195a3f2-7c1e-7b3a-9d54-2f6b1c8e4a10"},
	{http.MethodDelete, "/products/0195a3f2-7c1e-7b3a-9d54-2f6b1c8e4a10"},
}

func TestWritesNeedAnAdmin(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	admin := shop.start()
	_, foreign, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id := uuid.NewString()
	token := shop.auth.Token(authn.Admin, id)
	for name, test := range map[string]struct {
		token  string
		status int
		code   string
	}{
		"nobody":            {"", 401, "credentials_required"},
		"no token":          {"abc", 401, "invalid_token"},
		"expired":           {shop.auth.Token(authn.Admin, id, authntest.ExpiresAt(time.Now().Add(-time.Minute))), 401, "token_expired"},
		"alg none":          {shop.auth.Token(authn.Admin, id, authntest.Unsigned()), 401, "invalid_token"},
		"other key":         {shop.auth.Token(authn.Admin, id, authntest.SignedBy(foreign)), 401, "invalid_token"},
		"other audience":    {shop.auth.Token(authn.Admin, id, authntest.Audience("shop")), 401, "invalid_token"},
		"tampered":          {token[:len(token)-6] + "AAAAAA", 401, "invalid_token"},
		"unknown key":       {authn.NewKey(), 401, "invalid_api_key"},
		"user":              {shop.auth.Token(authn.User, id), 403, "forbidden"},
		"analyst":           {shop.auth.Token(authn.Analyst, id), 403, "forbidden"},
		"key without admin": {shop.apiKey("ingest", "read"), 403, "forbidden"},
	} {
		for _, request := range writes {
			t.Run(name+" "+request.method+" "+request.path, func(t *testing.T) {
				wantProblem(t, admin.as(test.token).do(request.method, request.path, "no JSON"), test.status, test.code)
			})
		}
	}
	if got := want[list](admin, http.StatusOK, http.MethodGet, "/products?status=all", ""); len(got.Items) > 0 {
		t.Errorf("unauthorized callers wrote %v", got.skus())
	}
	admin.as(shop.apiKey("admin")).create("BY-KEY")
}

func TestEverybodyReads(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	admin := shop.start()
	path := admin.create("A").path()
	for _, token := range []string{"", shop.auth.Token(authn.User, uuid.NewString()), shop.apiKey("ingest")} {
		want[list](admin.as(token), http.StatusOK, http.MethodGet, "/products", "")
		want[item](admin.as(token), http.StatusOK, http.MethodGet, path, "")
	}
}
