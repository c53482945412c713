package httpserver

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// clientAddress returns the address of the client behind hops trusted proxies. Each proxy appends the address of its peer
// to X-Forwarded-For, so the client is hops entries from the end. Entries before it come from the client and are ignored.
func clientAddress(r *http.Request, hops int) netip.Addr {
	if hops > 0 {
		if claimed, err := netip.ParseAddr(forwardedFor(r.Header["X-Forwarded-For"], hops)); err == nil {
			return claimed.Unmap()
		}
	}
	return peerAddress(r)
}

// forwardedFor returns the entry that is n from the end of the lists in lines, the last one being 1; empty if there is none.
func forwardedFor(lines []string, n int) string {
	for _, line := range slices.Backward(lines) {
		for more := true; more; n-- {
			var entry string
			comma := strings.LastIndexByte(line, ',')
			more, entry = comma >= 0, line[comma+1:]
			if n == 1 {
				return strings.TrimSpace(entry)
			}
			line = line[:max(comma, 0)]
		}
	}
	return ""
}

func peerAddress(r *http.Request) netip.Addr {
	if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		return peer.Addr().Unmap()
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr, _ := netip.ParseAddr(host) // the zero Addr if host is not an IP address
	return addr.Unmap()
}

// ClientNetwork returns the part of the client's address that counts as one client: all of an IPv4 address, the /64 of an
// IPv6 address, which providers assign to one customer. It is "invalid IP" outside a request.
func ClientNetwork(ctx context.Context) string { return networkName(ClientAddress(ctx)) }

// networkName returns the text of the network of an address.
func networkName(addr netip.Addr) string {
	addr = addr.Unmap()
	if !addr.Is6() {
		return addr.String()
	}
	prefix, err := addr.WithZone("").Prefix(ipv6Prefix)
	if err != nil {
		return addr.String()
	}
	return prefix.String()
}
