package httpserver

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// clientAddress finds out who the client is. X-Forwarded-For is believed only as far as our own proxies wrote it: each
// appends the address it saw, so the client is hops entries from the end and everything before is the client's word.
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
	addr, _ := netip.ParseAddr(host) // the zero Addr for what is no IP address
	return addr.Unmap()
}
