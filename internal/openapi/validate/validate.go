// Package validate refuses requests that do not fit openapi.yaml before they reach a handler, so that handlers see only
// requests whose shape is right. It finds all problems of a request at once and says where each one is.
//
//   - 400: the body is not JSON, or the query is not one.
//   - 404: an id in the path is not a UUID, so nothing can have it.
//   - 413: the body is over the limit of its operation.
//   - 415: the body's media type or encoding is not one that the operation reads.
//   - 422: everything else, with a pointer, a code and a sentence for each problem.
//
// Credentials are not looked at (package authn does that), and values of the request are never repeated in an answer:
// one of them may be a password.
package validate

import (
	"net/http"

	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
)

// Requests returns the middleware. Requests for paths and methods that the contract does not have pass: the router
// answers those.
func Requests() (func(http.Handler) http.Handler, error) {
	c, err := contract.Load()
	if err != nil {
		return nil, err
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if operation, params, ok := c.Find(r); ok {
				if err := check(w, r, operation, params); err != nil {
					problem.Write(w, r, err)
					return
				}
			}
			next.ServeHTTP(w, r)
		})
	}, nil
}

func check(w http.ResponseWriter, r *http.Request, operation *contract.Operation, params map[string]string) error {
	fields, err := checkParameters(r, operation, params)
	if err != nil {
		return err
	}
	if body := operation.Spec.RequestBody; body != nil {
		inBody, err := checkBody(w, r, body.Value)
		if err != nil {
			return err
		}
		fields = append(fields, inBody...)
	}
	if len(fields) > 0 {
		return invalid(fields)
	}
	return nil
}

// maxFields bounds the answer to a large body in which everything is wrong.
const maxFields = 100

func invalid(fields []errs.Field) error {
	if len(fields) > maxFields {
		return errs.New(errs.Invalid, "validation_failed",
			"The request has many problems; errors lists the first of them.", fields[:maxFields]...)
	}
	return errs.New(errs.Invalid, "validation_failed", "The request does not fit; errors says where and why.", fields...)
}
