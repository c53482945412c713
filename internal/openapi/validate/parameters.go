package validate

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"

	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
	"github.com/hp-analytics/hp-analytics/internal/openapi/strictjson"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// parameter is one parameter of an operation.
type parameter struct {
	spec    *openapi3.Parameter
	pointer string // names it in answers
	isID    bool   // a UUID in the path
}

func newParameter(p *openapi3.Parameter) parameter {
	return parameter{
		spec:    p,
		pointer: "/" + p.In + "/" + p.Name,
		isID:    p.In == openapi3.ParameterInPath && p.Schema.Value.Format == "uuid",
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
	input := &openapi3filter.RequestValidationInput{Request: r, QueryParams: query, Options: filterOptions}
	var values []string
	switch p.spec.In { // no parameter of the contract is a list or in a cookie
	case openapi3.ParameterInQuery:
		values = query[p.spec.Name]
	case openapi3.ParameterInHeader:
		values = r.Header.Values(p.spec.Name)
	default:
		value := contract.PathParameter(r, p.spec.Name)
		values, input.PathParams = []string{value}, map[string]string{p.spec.Name: value}
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
	if !utf8.ValidString(values[0]) || strings.ContainsRune(values[0], 0) {
		return []errs.Field{{Pointer: p.pointer, Code: "invalid_value", Detail: textDetail}}
	}
	if err := openapi3filter.ValidateParameter(r.Context(), input, p.spec); err != nil {
		return fieldsOf(p.pointer, p.spec.Schema.Value, err)
	}
	return nil
}
