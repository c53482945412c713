package validate

import (
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"

	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
	"github.com/hp-analytics/hp-analytics/internal/openapi/strictjson"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// parameter is one parameter of an operation.
type parameter struct {
	spec      *openapi3.Parameter
	pointer   string  // names it in answers
	canonical string  // its name in an http.Header
	isID      bool    // a UUID in the path
	accepts   accepts // nil: only kin-openapi knows
}

func newParameter(p *openapi3.Parameter) parameter {
	return parameter{
		spec:      p,
		pointer:   "/" + p.In + "/" + p.Name,
		canonical: http.CanonicalHeaderKey(p.Name),
		isID:      p.In == openapi3.ParameterInPath && p.Schema.Value.Format == "uuid",
		accepts:   prepare(p.Schema.Value),
	}
}

var filterOptions = &openapi3filter.Options{
	MultiError:              true,
	SkipSettingDefaults:     true, // handlers set defaults; the request stays as it came
	SchemaValidationOptions: contract.Formats(),
}

// checkParameters returns the problems of the parameters. A query that cannot be decoded and an id that nothing can have
// are errors.
func (v *Validator) checkParameters(r *http.Request) ([]errs.Field, error) {
	var query url.Values
	if r.URL.RawQuery != "" {
		var err error
		if query, err = url.ParseQuery(r.URL.RawQuery); err != nil {
			return nil, errs.New(errs.Malformed, "malformed_query", "The query string cannot be decoded.").Because(err)
		}
	}
	fields := v.unknown(query)
	for _, p := range v.parameters {
		if p.isID {
			if !contract.IsUUID(contract.PathParameter(r, p.spec.Name)) {
				return nil, errs.New(errs.NotFound, "not_found", "There is nothing with this id; ids are UUIDs.")
			}
			continue
		}
		fields = append(fields, p.check(r, query)...)
	}
	return fields, nil
}

// unknown returns a problem for each query parameter that the operation does not have. Ignoring it would answer another
// question than the caller asked.
func (v *Validator) unknown(query url.Values) (fields []errs.Field) {
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if !v.query[name] {
			fields = append(fields, newField("/query/"+strictjson.Escape(name), "unknown_parameter", "There is no such parameter."))
		}
	}
	return fields
}

// check returns the problems of one parameter.
func (p parameter) check(r *http.Request, query url.Values) []errs.Field {
	var values []string
	switch p.spec.In { // no parameter of the contract is a list or in a cookie
	case openapi3.ParameterInQuery:
		values = query[p.spec.Name]
	case openapi3.ParameterInHeader:
		values = r.Header[p.canonical]
	default:
		values = []string{contract.PathParameter(r, p.spec.Name)}
	}
	if len(values) == 0 {
		if p.spec.Required {
			return []errs.Field{{Pointer: p.pointer, Code: "required", Detail: p.spec.Name + " is required."}}
		}
		return nil
	}
	if len(values) > 1 {
		return []errs.Field{{Pointer: p.pointer, Code: "invalid_value", Detail: "Must be given once."}}
	}
	if !isText(values[0]) {
		return []errs.Field{{Pointer: p.pointer, Code: "invalid_value", Detail: textDetail}}
	}
	if p.accepts != nil && p.accepts(values[0]) {
		return nil
	}
	input := &openapi3filter.RequestValidationInput{Request: r, QueryParams: query, Options: filterOptions}
	if p.spec.In == openapi3.ParameterInPath {
		input.PathParams = map[string]string{p.spec.Name: values[0]}
	}
	if err := openapi3filter.ValidateParameter(r.Context(), input, p.spec); err != nil {
		return fieldsOf(p.pointer, p.spec.Schema.Value, err)
	}
	return nil
}
