package mcpserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
	"github.com/hp-analytics/hp-analytics/internal/platform/rows"
)

// maxAnswer bounds an answer, in bytes. An assistant reads all of it, so one that is longer is better asked for in parts.
const maxAnswer = 1 << 20

// tool is an operation whose parameters are the arguments. Headers are left out: they say how an answer is transferred, and a key
// belongs to one project.
type tool struct {
	operation *contract.Operation
	arguments map[string]*openapi3.Parameter
	schema    json.RawMessage
}

// property is the JSON Schema of an argument.
type property struct {
	*openapi3.Schema

	description string
}

// MarshalJSON writes the schema with the description of the parameter.
func (p property) MarshalJSON() ([]byte, error) {
	schema := *p.Schema
	schema.Description = p.description
	return json.Marshal(&schema)
}

func newTool(o *contract.Operation) (t tool, err error) {
	t = tool{operation: o, arguments: map[string]*openapi3.Parameter{}}
	properties, required := map[string]property{}, []string{}
	for _, ref := range o.Parameters {
		p := ref.Value
		if p.In == openapi3.ParameterInHeader {
			continue
		}
		t.arguments[p.Name] = p
		properties[p.Name] = property{p.Schema.Value, p.Description}
		if p.Required {
			required = append(required, p.Name)
		}
	}
	t.schema, err = json.Marshal(map[string]any{"type": "object", "properties": properties, "required": required, "additionalProperties": false})
	return t, err
}

func (t tool) description() *mcp.Tool {
	return &mcp.Tool{
		Name: t.operation.ID, Title: t.operation.Spec.Summary, Description: t.operation.Spec.Summary + "\n\n" + t.operation.Spec.Description,
		InputSchema: t.schema, Annotations: &mcp.ToolAnnotations{ReadOnlyHint: true, IdempotentHint: true, OpenWorldHint: new(false)},
	}
}

// handler calls the operation. What the platform refuses, and that it cannot be reached, is a result that the assistant can read and
// act upon. The platform validates the arguments, by the same contract.
func (t tool) handler(platform Platform) mcp.ToolHandler {
	return func(ctx context.Context, request *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		answer, err := t.call(ctx, platform, request.Params.Arguments)
		if err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: err.Error()}}, IsError: true}, nil
		}
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: string(answer)}}, StructuredContent: answer}, nil
	}
}

func (t tool) call(ctx context.Context, platform Platform, arguments json.RawMessage) (json.RawMessage, error) {
	address, err := t.address(arguments)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, platform.URL+address, http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+platform.Key)
	request.Header.Set("Accept", string(rows.JSON))
	response, err := platform.Client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("the platform cannot be reached: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("the answer broke off: %w", err)
	case response.StatusCode != http.StatusOK:
		return nil, refusal(response, answer)
	case len(answer) > maxAnswer:
		return nil, fmt.Errorf("the answer has more than %d bytes: ask for fewer days, a longer interval or a smaller limit", maxAnswer)
	}
	return answer, nil
}

// address returns the path and query of a call.
func (t tool) address(arguments json.RawMessage) (string, error) {
	values := map[string]any{}
	if len(bytes.TrimSpace(arguments)) > 0 {
		decoder := json.NewDecoder(bytes.NewReader(arguments))
		decoder.UseNumber() // a number is sent as it was written
		if err := decoder.Decode(&values); err != nil {
			return "", fmt.Errorf("the arguments are no JSON object: %w", err)
		}
	}
	path, query := t.operation.Path, url.Values{}
	for name, value := range values {
		parameter, known := t.arguments[name]
		switch value.(type) {
		case string, json.Number, bool:
		case nil:
			continue // assistants send null for what they leave out
		default:
			return "", fmt.Errorf("%s must be a single value", name)
		}
		switch {
		case !known:
			return "", fmt.Errorf("there is no argument %s", name)
		case parameter.In == openapi3.ParameterInPath && (value == "." || value == ".."):
			return "", fmt.Errorf("%s must not be %v, which means another path", name, value)
		case parameter.In == openapi3.ParameterInPath:
			path = strings.ReplaceAll(path, "{"+name+"}", url.PathEscape(fmt.Sprint(value)))
		default:
			query.Set(name, fmt.Sprint(value))
		}
	}
	if missing := t.missing(values); len(missing) > 0 {
		return "", fmt.Errorf("arguments are missing: %s", strings.Join(missing, ", "))
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return path, nil
}

// missing returns the required arguments that are not there, in order.
func (t tool) missing(values map[string]any) (names []string) {
	for name, p := range t.arguments {
		if p.Required && (values[name] == nil || values[name] == "") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// refusal says in words why the platform did not answer.
func refusal(response *http.Response, answer []byte) error {
	var problem struct {
		Detail string `json:"detail"`
		Errors []struct {
			Pointer string `json:"pointer"`
			Detail  string `json:"detail"`
		} `json:"errors"`
	}
	if json.Unmarshal(answer, &problem) != nil || problem.Detail == "" {
		return fmt.Errorf("the platform answered %s", response.Status)
	}
	sentences := []string{problem.Detail}
	for _, e := range problem.Errors {
		sentences = append(sentences, e.Pointer+": "+e.Detail)
	}
	if wait := response.Header.Get("Retry-After"); wait != "" {
		sentences = append(sentences, "Try again in "+wait+" s.")
	}
	return errors.New(strings.Join(sentences, " "))
}
