package httpserver

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// clientAddress returns the address of the client behind hops trusted proxies. Each proxy appends the address of its peer
// to X-Forwarded-For, so the client is hops entries from the end. Entries before it come from the client and are ignored.
func clientAddress(r *http.Request, hops int) netip.Addr {
	if hops > 0 {
		forwarded := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		if i := len(forwarded) - hops; i >= 0 {
			if claimed, err := netip.ParseAddr(strings.TrimSpace(forwarded[i])); err == nil {
				return claimed.Unmap()
			}
		}
	}
	return peerAddress(r)
}

func peerAddress(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr, _ := netip.ParseAddr(host) // the zero Addr if host is not an IP address
	return addr.Unmap()
}

// ClientNetwork returns the part of the client's address that counts as one client: all of an IPv4 address, the /64 of an
// IPv6 address, which providers assign to one customer. It is "invalid IP" outside a request.
func ClientNetwork(ctx context.Context) string {
	addr := ClientAddress(ctx).Unmap()
	if !addr.Is6() {
		return addr.String()
	}
	prefix, err := addr.WithZone("").Prefix(64)
	if err != nil {
		return addr.String()
	}
	return prefix.String()
}
