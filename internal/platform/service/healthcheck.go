package service

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"
)

// checkTimeout bounds a health check; container runtimes give up after a few seconds.
const checkTimeout = 5 * time.Second

// CheckReady requests url, a /ready endpoint, and returns an error unless it answers 200.
func CheckReady(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("check readiness: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("check readiness: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // nothing was written
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return nil
}

// LocalURL returns the base URL of an instance on this host that listens on addr, host:port. A server on all interfaces is
// reached through the loopback interface, any other one only through its own address.
func LocalURL(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || host == "" || net.ParseIP(host).IsUnspecified() {
		host = "127.0.0.1"
	}
	local := url.URL{Scheme: "http", Host: net.JoinHostPort(host, port)}
	return local.String() // escapes the zone of an IPv6 address
}
