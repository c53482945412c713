package auth

import (
	"net/http"
	"strings"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
)

// callersOnly authenticates the operations that are not public: /auth/me for users, /auth/api-keys for admins. It
// precedes validation, so that the body of a caller without access is not read. The public operations ignore credentials:
// an expired token must not keep its owner from getting a new one.
func callersOnly(verifier *authn.Verifier) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		restricted := verifier.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := allowed(r); err != nil {
				problem.Write(w, r, err)
				return
			}
			next.ServeHTTP(w, r)
		}))
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/auth/me" || isKeys(r) {
				restricted.ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

func isKeys(r *http.Request) bool {
	return r.URL.Path == "/auth/api-keys" || strings.HasPrefix(r.URL.Path, "/auth/api-keys/")
}

func allowed(r *http.Request) error {
	if isKeys(r) {
		_, err := authn.RequireAdmin(r.Context())
		return err
	}
	caller, err := authn.Require(r.Context())
	if err == nil && !caller.IsUser() {
		err = authn.Denied("This needs the access token of a user: an API key has no account.")
	}
	return err
}
