// Package client speaks to a running platform over HTTP, as far as a demo needs it.
//
// Every request may be repeated, because every id is the client's, and is: when the platform is overloaded, away, or
// killed and started again in the middle of an answer. A platform that stays away longer than Options.Patience ends it.
package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// attemptTimeout bounds one try, connecting and reading included. A platform that vanished without a word is noticed
	// after that long.
	attemptTimeout = 30 * time.Second
	// maxAnswer bounds what is read of an answer.
	maxAnswer = 16 << 20
)

// Options say how to reach a platform.
type Options struct {
	URL         string            // where it is, http://host:port with an optional path
	Routes      map[string]string // URLs of services that are asked without a gateway, by first path segment
	Connections int               // how many requests go out at the same time
	Patience    time.Duration     // how long one request is repeated
	Retrying    func(err error)   // told before each wait; may be nil, may be called from several goroutines
	Transport   http.RoundTripper // nil means a new one that is right for Connections
}

// Client sends requests with one credential, or none. It is safe for concurrent use.
type Client struct {
	base     string
	routes   map[string]string
	token    string
	http     *http.Client
	patience time.Duration
	retrying func(err error)
	retries  *atomic.Int64 // of this client and all that With made of it
}

// New returns a client without a credential.
func New(o Options) (*Client, error) {
	base, err := baseURL(o.URL)
	if err != nil {
		return nil, fmt.Errorf("the URL of the platform: %w", err)
	}
	routes := make(map[string]string, len(o.Routes))
	for segment, route := range o.Routes {
		if routes[segment], err = baseURL(route); err != nil {
			return nil, fmt.Errorf("the URL of /%s: %w", segment, err)
		}
	}
	if o.Transport == nil {
		o.Transport = newTransport(o.Connections)
	}
	if o.Retrying == nil {
		o.Retrying = func(error) {}
	}
	return &Client{
		base:     base,
		routes:   routes,
		http:     &http.Client{Transport: o.Transport},
		patience: o.Patience,
		retrying: o.Retrying,
		retries:  new(atomic.Int64),
	}, nil
}

// baseURL checks an address and returns it without a slash at its end.
func baseURL(text string) (string, error) {
	base, err := url.Parse(text)
	if err != nil {
		return "", err
	}
	if base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return "", fmt.Errorf("must be like http://localhost:8080, not %q", text)
	}
	return strings.TrimRight(base.String(), "/"), nil
}

// newTransport keeps a connection for each sender, and gives up on one that cannot be made soon.
func newTransport(connections int) *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout: 10 * time.Second,
		MaxIdleConns:        connections,
		MaxIdleConnsPerHost: connections,
		IdleConnTimeout:     30 * time.Second,
		ForceAttemptHTTP2:   true,
	}
}

// With returns the same client with another credential: an access token or an API key.
func (c *Client) With(token string) *Client {
	with := *c
	with.token = token
	return &with
}

// Retries is how often a request was repeated because it got no answer, or one that asked to come back later.
func (c *Client) Retries() int64 { return c.retries.Load() }

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// call is a request and where its answer goes.
type call struct {
	method string
	path   string
	query  url.Values
	header http.Header
	body   []byte      // the same for each try
	into   any         // what the answer's JSON is decoded into, unless nil
	answer http.Header // set when the call succeeds
}

// post makes a call whose body is value as JSON.
func (c *Client) post(ctx context.Context, path string, value, into any, header ...string) (http.Header, error) {
	body, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("encode the body of POST %s: %w", path, err)
	}
	call := &call{method: http.MethodPost, path: path, header: http.Header{}, body: body, into: into}
	call.header.Set("Content-Type", "application/json")
	for pair := range slices.Chunk(header, 2) {
		call.header.Set(pair[0], pair[1])
	}
	err = c.do(ctx, call)
	return call.answer, err
}

// get makes a call without a body.
func (c *Client) get(ctx context.Context, path string, query url.Values, into any) error {
	return c.do(ctx, &call{method: http.MethodGet, path: path, query: query, into: into})
}

// once makes one try. Errors that a later try may not have are transient.
func (c *Client) once(ctx context.Context, call *call) error {
	tryCtx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	request, err := c.request(tryCtx, call)
	if err != nil {
		return err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return noAnswer(ctx, err)
	}
	defer response.Body.Close() //nolint:errcheck // was only read
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return noAnswer(ctx, err)
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return refusal(response, answer)
	}
	call.answer = response.Header
	if call.into == nil {
		return nil
	}
	if err := json.Unmarshal(answer, call.into); err != nil {
		return fmt.Errorf("the answer is not as the contract says: %w", err)
	}
	return nil
}

func (c *Client) request(ctx context.Context, call *call) (*http.Request, error) {
	segment, _, _ := strings.Cut(strings.TrimPrefix(call.path, "/"), "/")
	target := cmp.Or(c.routes[segment], c.base) + call.path
	if len(call.query) > 0 {
		target += "?" + call.query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, call.method, target, bytes.NewReader(call.body))
	if err != nil {
		return nil, fmt.Errorf("address: %w", err)
	}
	maps.Copy(request.Header, call.header)
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	return request, nil
}

// noAnswer tells a platform that did not answer, which may come back, from a caller that has gone.
func noAnswer(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err // without the URL, which the caller knows
	}
	return &transientError{cause: err}
}
