package config

import (
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"reflect"
)

// redacted replaces a secret in printed output.
const redacted = "[redacted]"

// Secret is a configuration value that prints as a placeholder. Convert it to string to use it.
type Secret string

// String implements fmt.Stringer.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString implements fmt.GoStringer, for %#v.
func (s Secret) GoString() string { return s.String() }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText implements encoding.TextMarshaler, for JSON and the like.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// URL is a connection URL whose password is hidden when it is printed. Convert it to string to use it.
type URL string

// String implements fmt.Stringer.
func (u URL) String() string {
	if u == "" {
		return ""
	}
	parsed, err := url.Parse(string(u))
	if err != nil || u.Ambiguous() != nil {
		return redacted // the password may be anywhere
	}
	query := parsed.Query()
	for _, name := range []string{"password", "sslpassword"} {
		if query.Has(name) {
			query.Set(name, redacted)
			parsed.RawQuery = query.Encode()
		}
	}
	return parsed.Redacted()
}

// GoString implements fmt.GoStringer, for %#v.
func (u URL) GoString() string { return u.String() }

// LogValue implements slog.LogValuer.
func (u URL) LogValue() slog.Value { return slog.StringValue(u.String()) }

// MarshalText implements encoding.TextMarshaler, for JSON and the like.
func (u URL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// Dump writes the effective configuration as NAME=value lines, without secrets.
func Dump(w io.Writer, target any) error {
	for leaf := range leaves(reflect.ValueOf(target).Elem(), "") {
		if _, err := fmt.Fprintf(w, "%s=%v\n", leaf.name, leaf.value.Interface()); err != nil {
			return fmt.Errorf("dump configuration: %w", err)
		}
	}
	return nil
}
