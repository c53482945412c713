package validate

import (
	"net/http"

	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
)

// Requests returns a middleware that validates the requests of every operation. Package edge replaces it.
func Requests() (func(http.Handler) http.Handler, error) {
	c, err := contract.Load()
	if err != nil {
		return nil, err
	}
	validators := make(map[*contract.Operation]*Validator)
	for _, o := range c.Operations() {
		validators[o] = New(o)
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if operation, ok := c.Find(r); ok {
				if _, err := validators[operation].Check(w, r); err != nil {
					problem.Write(w, r, err)
					return
				}
			}
			next.ServeHTTP(w, r)
		})
	}, nil
}
