package config

import (
	"errors"
	"net/netip"
	"strings"
)

// Ambiguous returns an error if a connection URL with a user name and a password can be read in more than one way, or if an
// IPv6 address has no brackets. Programs disagree about such a URL: one takes a part of the password for the host. The error
// contains nothing of the URL.
func (u URL) Ambiguous() error {
	_, rest, found := strings.Cut(string(u), "://")
	if !found {
		return errors.New("must begin with a scheme, such as postgres:// or redis://")
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, after := rest[:end], rest[end:]
	if strings.Contains(after, "@") {
		return errors.New("has an @ after the host, as if the password had an unescaped /, ? or #: write / as %2F, ? as %3F, # as %23 and @ as %40")
	}
	if strings.Contains(after, "#") {
		return errors.New("has a # after the host: write it as %23")
	}
	if strings.Count(authority, "@") > 1 {
		return errors.New("has more than one @ before the host: write that of the user name or the password as %40")
	}
	hosts := authority[strings.LastIndex(authority, "@")+1:]
	for host := range strings.SplitSeq(hosts, ",") {
		if !strings.HasPrefix(host, "[") && strings.Count(host, ":") > 1 {
			return errors.New("has an IPv6 address without brackets: write [::1]:5432")
		}
	}
	return nil
}

// CheckHost returns an error unless host is a name or an IP address without brackets and port. The empty host means all
// interfaces.
func CheckHost(host string) error {
	if _, err := netip.ParseAddr(host); err == nil || host == "" {
		return nil
	}
	if strings.ContainsAny(host, "[]:/@ \t") {
		return errors.New("must be a name or an IP address without brackets and port, such as 127.0.0.1, ::1 or 0.0.0.0")
	}
	return nil
}
