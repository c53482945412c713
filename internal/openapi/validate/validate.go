// Package validate checks requests against openapi.yaml, so that handlers see only requests of the right shape. It finds
// all problems of a request at once and says where each one is.
//
//   - 400: the body is not JSON, or the query string cannot be decoded.
//   - 404: an id in the path is not a UUID, so nothing can have it.
//   - 413: the body is over the limit of its operation.
//   - 415: the operation does not read the body's media type or encoding.
//   - 422: everything else, with a pointer, a code and a sentence for each problem.
//
// Answers never repeat a value of the request, because it may be a password.
package validate

import (
	"net/http"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// Validator checks the requests of one operation. It is safe for concurrent use.
type Validator struct {
	query      map[string]bool // the names of query parameters
	parameters []parameter
	headers    []parameter // those of parameters that are in the header
	body       *body       // nil if the operation has none
}

// New returns the validator of an operation. It does once what does not depend on the request. Of an operation whose
// handler validates, it checks only the names of query parameters.
func New(o *contract.Operation) *Validator {
	v := &Validator{query: map[string]bool{}}
	for _, ref := range o.Parameters {
		if ref.Value.In == openapi3.ParameterInQuery {
			v.query[ref.Value.Name] = true
		}
		if !o.HandlerValidates {
			v.parameters = append(v.parameters, newParameter(ref.Value))
		}
		if !o.HandlerValidates && ref.Value.In == openapi3.ParameterInHeader {
			v.headers = append(v.headers, newParameter(ref.Value))
		}
	}
	if o.Spec.RequestBody != nil && !o.HandlerValidates {
		v.body = newBody(o.Spec.RequestBody.Value, o.Method)
	}
	return v
}

// Check validates a request that chi has routed, and returns its parsed body: nil if the operation has none. It leaves
// the body to be read again.
func (v *Validator) Check(w http.ResponseWriter, r *http.Request) (any, error) {
	fields, err := v.checkParameters(r)
	if err != nil {
		return nil, err
	}
	var value any
	if v.body != nil {
		var inBody []errs.Field
		if value, inBody, err = v.body.check(w, r); err != nil {
			return nil, err
		}
		fields = append(fields, inBody...)
	}
	if len(fields) > 0 {
		return nil, invalid(fields)
	}
	return value, nil
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
