package openapitest

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
	"github.com/hp-analytics/hp-analytics/internal/openapi/strictjson"
)

const problemType = "application/problem+json"

// checkUnmatched checks the answer to a request that matches no operation.
func (c *Rules) checkUnmatched(r *http.Request, a answer) []string {
	if strings.HasPrefix(r.URL.Path, "/docs/") { // the contract does not list the files of the documentation
		return nil
	}
	if r.Method == http.MethodOptions && c.contract.HasPreflight(r) {
		if a.status != http.StatusNoContent || a.header.Get("Access-Control-Allow-Methods") == "" {
			return []string{"a preflight must be answered with 204 and the methods"}
		}
		return nil
	}
	want := http.StatusNotFound
	if c.contract.HasPath(r) {
		want = http.StatusMethodNotAllowed
	}
	var problems []string
	if a.status != want {
		problems = append(problems, fmt.Sprintf("there is no such operation: the status must be %d", want))
	}
	if want == http.StatusMethodNotAllowed && a.header.Get("Allow") == "" {
		problems = append(problems, "the header Allow is missing")
	}
	content := openapi3.Content{problemType: {Schema: c.contract.Document.Components.Schemas["Problem"]}}
	return append(problems, checkContent(r, content, a)...)
}

// checkDocumented checks the answer of an operation.
func (c *Rules) checkDocumented(r *http.Request, operation *contract.Operation, a answer) []string {
	documented := operation.Spec.Responses.Status(a.status)
	if documented == nil {
		return []string{fmt.Sprintf("%s has no status %d", operation.ID, a.status)}
	}
	problems := checkHeaders(r, operation, a, documented.Value.Headers)
	return append(problems, checkContent(r, documented.Value.Content, a)...)
}

// checkHeaders checks one header at a time, as the header of a 200, because kin-openapi stops at the first problem and does
// not check the headers of a 304.
func checkHeaders(r *http.Request, operation *contract.Operation, a answer, headers openapi3.Headers) []string {
	var problems []string
	for name, ref := range headers {
		only := openapi3.NewResponses(openapi3.WithStatus(http.StatusOK, &openapi3.ResponseRef{
			Value: &openapi3.Response{Headers: openapi3.Headers{name: ref}},
		}))
		err := openapi3filter.ValidateResponse(r.Context(), &openapi3filter.ResponseValidationInput{
			RequestValidationInput: &openapi3filter.RequestValidationInput{
				Request: &http.Request{Method: http.MethodGet},
				Route: &routers.Route{
					Spec:      &openapi3.T{OpenAPI: "3.0.3"},
					Operation: &openapi3.Operation{OperationID: operation.ID, Responses: only},
				},
			},
			Status: http.StatusOK,
			Header: a.header,
			Options: &openapi3filter.Options{
				ExcludeResponseBody:     true,
				SchemaValidationOptions: contract.Formats(),
			},
		})
		if err != nil {
			problems = append(problems, err.Error())
		}
	}
	slices.Sort(problems)
	return problems
}

// checkContent checks media type and body.
func checkContent(r *http.Request, content openapi3.Content, a answer) []string {
	if r.Method == http.MethodHead {
		return nil
	}
	if len(content) == 0 {
		if len(a.body) > 0 {
			return []string{"there must be no body"}
		}
		return nil
	}
	name, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	media, ok := content[name]
	if err != nil || !ok {
		return []string{fmt.Sprintf("the content type %q is not documented", a.header.Get("Content-Type"))}
	}
	if name != "application/json" && !strings.HasSuffix(name, "+json") {
		return nil // only JSON has a schema to check
	}
	value, err := strictjson.Parse(a.body)
	if err != nil {
		return []string{"the body: " + err.Error()}
	}
	options := append(contract.Formats(), openapi3.VisitAsResponse(), openapi3.MultiErrors(), openapi3.DisableSchemaErrorDetails())
	return messages(media.Schema.Value.VisitJSON(value, options...))
}

// messages flattens the errors of kin-openapi.
func messages(err error) []string {
	if err == nil {
		return nil
	}
	if multi, ok := errors.AsType[openapi3.MultiError](err); ok {
		var all []string
		for _, each := range multi {
			all = append(all, messages(each)...)
		}
		return all
	}
	return []string{"the body: " + err.Error()}
}
