package openapitest

import (
	"net/http"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
)

// Rules are what the contract says about answers, for programs that are no tests. They are safe for concurrent use.
type Rules struct {
	contract *contract.Contract
}

// LoadRules parses the contract.
func LoadRules() (*Rules, error) {
	c, err := contract.Load()
	if err != nil {
		return nil, err
	}
	return &Rules{contract: c}, closeObjects(c.Document)
}

// closeObjects makes every object schema refuse members that it does not name. The document leaves answers open, so that
// clients expect new members, but in these tests an undocumented member is a mistake.
func closeObjects(document *openapi3.T) error {
	closed := false
	return document.WalkSchemas(func(_ string, ref *openapi3.SchemaRef) error {
		s := ref.Value
		if len(s.Properties) > 0 && s.AdditionalProperties.Has == nil && s.AdditionalProperties.Schema == nil {
			s.AdditionalProperties.Has = &closed
		}
		return nil
	})
}

// Problems returns what is wrong with the answer to a request. It does not read the body of response: body is its content. Of the request,
// only the method and the URL count.
func (c *Rules) Problems(r *http.Request, response *http.Response, body []byte) []string {
	_, problems := c.problems(r, answer{status: response.StatusCode, header: response.Header, body: body})
	return problems
}

// problems returns the operation that answers a request, nil for none, and what is wrong with the answer.
func (c *Rules) problems(r *http.Request, a answer) (*contract.Operation, []string) {
	operation, ok := c.contract.Find(r)
	if !ok {
		return nil, c.checkUnmatched(r, a)
	}
	return operation, c.checkDocumented(r, operation, a)
}
