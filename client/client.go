package client

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// maxAnswer bounds what is read of one answer.
const maxAnswer = 16 << 20

// Client calls one platform with one credential, or none. It is safe for concurrent use.
type Client struct {
	base       string
	routes     map[string]string
	http       *http.Client
	userAgent  string
	project    string // empty for the one that the platform chooses
	credential credential
	retry      RetryPolicy
}

// New returns a client of the platform at baseURL, such as https://analytics.example.com or http://host:8080/prefix.
func New(baseURL string, options ...Option) (*Client, error) {
	base, err := checkURL(baseURL)
	if err != nil {
		return nil, err
	}
	c := &Client{base: base, routes: map[string]string{}, userAgent: "hp-analytics-go", credential: static("")}
	for _, option := range options {
		if err := option(c); err != nil {
			return nil, err
		}
	}
	c.retry = c.retry.withDefaults()
	if c.http == nil {
		c.http = &http.Client{Transport: newTransport()}
	}
	return c, nil
}

// checkURL returns an address without a slash at its end.
func checkURL(address string) (string, error) {
	parsed, err := url.Parse(address)
	if err != nil {
		return "", fmt.Errorf("base URL: %w", err)
	}
	if parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Host == "" || parsed.RawQuery != "" || parsed.Fragment != "" {
		return "", fmt.Errorf("base URL: must be like https://analytics.example.com, not %q", address)
	}
	return strings.TrimRight(parsed.String(), "/"), nil
}

// CloseIdleConnections closes the connections that no call is using.
func (c *Client) CloseIdleConnections() { c.http.CloseIdleConnections() }

// do encodes body, sends the call until it is answered, and decodes the answer into result. Both may be nil.
func (c *Client) do(ctx context.Context, call *call, body, result any, options []CallOption) error {
	for _, option := range options {
		option(call)
	}
	err := call.encode(body)
	if err == nil {
		err = c.retry.run(ctx, call, func() error { return c.attempt(ctx, call, result) })
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", call.method, call.path, err)
	}
	return nil
}

// attempt sends a call once. An access token that the platform does not take any more is renewed, and the call sent again:
// it was refused, so nothing has happened.
func (c *Client) attempt(ctx context.Context, call *call, result any) error {
	if call.public {
		return c.send(ctx, call, "", result)
	}
	token, err := c.credential.token(ctx, "")
	if err != nil {
		return err
	}
	err = c.send(ctx, call, token, result)
	if problem, ok := errors.AsType[*Error](err); !ok || problem.Status != http.StatusUnauthorized {
		return err
	}
	renewed, renewErr := c.credential.token(ctx, token)
	switch {
	case renewErr != nil:
		return renewErr
	case renewed == token:
		return err
	default:
		return c.send(ctx, call, renewed, result)
	}
}

// send makes one HTTP request. Errors that a later attempt may not have are *transientError.
func (c *Client) send(ctx context.Context, call *call, token string, result any) error {
	attemptCtx, cancel := context.WithTimeout(ctx, c.retry.AttemptTimeout)
	defer cancel()
	request, err := c.request(attemptCtx, call, token)
	if err != nil {
		return err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return connectionError(ctx, err)
	}
	defer response.Body.Close() //nolint:errcheck // it was only read
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return connectionError(ctx, err)
	case len(answer) > maxAnswer:
		return fmt.Errorf("the answer has more than %d bytes", maxAnswer)
	case response.StatusCode < 200 || response.StatusCode > 299:
		return answerError(response, answer)
	}
	if err := decode(answer, result); err != nil {
		return err
	}
	if call.responseHeader != nil {
		*call.responseHeader = response.Header
	}
	return nil
}

// decode reads an answer. One that ends in the middle was cut off on its way, as proxies do without telling.
func decode(answer []byte, into any) error {
	if into == nil {
		return nil
	}
	err := json.Unmarshal(answer, into)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("the answer is not what the API promises: %w", err)
	if _, isSyntax := errors.AsType[*json.SyntaxError](err); isSyntax {
		return &transientError{cause: err}
	}
	return err
}

func (c *Client) request(ctx context.Context, call *call, token string) (*http.Request, error) {
	segment, _, _ := strings.Cut(strings.TrimPrefix(call.path, "/"), "/")
	target := cmp.Or(c.routes[segment], c.base) + call.path
	if len(call.query) > 0 {
		target += "?" + call.query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, call.method, target, call.reader())
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	if call.header != nil {
		request.Header = call.header.Clone()
	}
	request.Header.Set("User-Agent", c.userAgent)
	request.Header.Set("Accept", "application/json, application/problem+json, */*;q=0.1") // exports have no JSON
	if c.project != "" {
		request.Header.Set("Project", c.project)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	return request, nil
}
