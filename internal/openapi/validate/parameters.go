package validate

import (
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"

	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// checkParameters returns the problems of the parameters, or an error for a request that has no meaning at all.
func checkParameters(r *http.Request, operation *contract.Operation, params map[string]string) ([]errs.Field, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, errs.New(errs.Malformed, "malformed_query", "The query string cannot be decoded.").Because(err)
	}
	input := &openapi3filter.RequestValidationInput{
		Request:     r,
		PathParams:  params,
		QueryParams: query,
		Options: &openapi3filter.Options{
			MultiError:              true,
			SkipSettingDefaults:     true, // the request belongs to the handler
			SchemaValidationOptions: contract.Formats(),
		},
	}
	var fields []errs.Field
	for _, ref := range operation.Parameters {
		found := checkParameter(input, ref.Value)
		if len(found) > 0 && isID(ref.Value) {
			return nil, errs.New(errs.NotFound, "not_found", "There is nothing with this id; ids are UUIDs.")
		}
		fields = append(fields, found...)
	}
	return fields, nil
}

func isID(p *openapi3.Parameter) bool {
	return p.In == openapi3.ParameterInPath && p.Schema.Value.Format == "uuid"
}

func checkParameter(input *openapi3filter.RequestValidationInput, p *openapi3.Parameter) []errs.Field {
	pointer := "/" + p.In + "/" + p.Name
	for i, value := range values(input, p) {
		if i > 0 {
			return []errs.Field{{Pointer: pointer, Code: "invalid_value", Detail: "Must be given once."}}
		}
		if !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
			return []errs.Field{{Pointer: pointer, Code: "invalid_value", Detail: textDetail}}
		}
	}
	if err := openapi3filter.ValidateParameter(input.Request.Context(), input, p); err != nil {
		return fieldsOf(pointer, p.Schema.Value, err)
	}
	return nil
}

// values returns what the request has for p, undecoded. No parameter of the contract is a list.
func values(input *openapi3filter.RequestValidationInput, p *openapi3.Parameter) []string {
	switch p.In {
	case openapi3.ParameterInQuery:
		return input.QueryParams[p.Name]
	case openapi3.ParameterInHeader:
		return input.Request.Header.Values(p.Name)
	default:
		return []string{input.PathParams[p.Name]}
	}
}
