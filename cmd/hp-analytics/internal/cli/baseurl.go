package cli

import (
	"fmt"
	"net/url"
)

// baseURL is a flag with the URL of a platform. It refuses what no request can be sent to, before the command begins.
type baseURL struct{ to *string }

// String implements pflag.Value.
func (f baseURL) String() string {
	if f.to == nil {
		return ""
	}
	return *f.to
}

// Type implements pflag.Value.
func (baseURL) Type() string { return "URL" }

// Set implements pflag.Value.
func (f baseURL) Set(text string) error {
	parsed, err := url.Parse(text)
	if err != nil || parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Host == "" {
		return fmt.Errorf("must begin with http:// or https:// and name a host, such as http://localhost:8080, not %q", text)
	}
	*f.to = text
	return nil
}
