package client

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// Option configures a Client.
type Option func(*Client) error

// WithAPIKey sends an API key (hpa_…) with every call that needs a credential. An access token works as well, until it
// expires; WithLogin renews it.
func WithAPIKey(key string) Option {
	return func(c *Client) error {
		if key == "" {
			return errors.New("the API key is empty")
		}
		c.credential = static(key)
		return nil
	}
}

// WithLogin logs in with the first call that needs a credential, and renews the access token before it expires.
func WithLogin(email, password string) Option {
	return func(c *Client) error {
		if email == "" || password == "" {
			return errors.New("login: the e-mail address or the password is empty")
		}
		c.credential = newSession(c, email, password)
		return nil
	}
}

// WithHTTPClient sends requests with a client of the caller's, for its proxy, TLS settings, tracing or number of
// connections. Its Timeout should be zero: RetryPolicy.AttemptTimeout bounds each attempt.
func WithHTTPClient(httpClient *http.Client) Option {
	return func(c *Client) error {
		c.http = httpClient
		return nil
	}
}

// WithUserAgent names the calling program in the platform's access log.
func WithUserAgent(userAgent string) Option {
	return func(c *Client) error {
		c.userAgent = userAgent
		return nil
	}
}

// WithProject makes a user act in the project with this name. Without it, it is the user's only project, or the default one. An
// API key acts in its own project, whatever is said here.
func WithProject(name string) Option {
	return func(c *Client) error {
		c.project = name
		return nil
	}
}

// WithRetryPolicy replaces the default RetryPolicy.
func WithRetryPolicy(policy RetryPolicy) Option {
	return func(c *Client) error {
		c.retry = policy
		return nil
	}
}

// WithRoute sends the paths that begin with segment ("events") to another base URL. It is for services that are reached
// directly, without the gateway that distributes the paths.
func WithRoute(segment, baseURL string) Option {
	return func(c *Client) error {
		base, err := checkURL(baseURL)
		if err != nil {
			return fmt.Errorf("route /%s: %w", segment, err)
		}
		c.routes[strings.Trim(segment, "/")] = base
		return nil
	}
}

// newTransport keeps up to 32 idle connections to the platform and notices one that cannot be made within 5 seconds.
func newTransport() *http.Transport {
	const connections = 32
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
