package httpserver

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

type clientAddressKey struct{}

// ClientAddress returns the address of the client that sent the request of ctx, for rate limits. It is the zero Addr
// outside a request.
func ClientAddress(ctx context.Context) netip.Addr {
	addr, _ := ctx.Value(clientAddressKey{}).(netip.Addr)
	return addr
}

// clientAddress finds out who the client is. X-Forwarded-For is believed only as far as our own proxies wrote it: each
// appends the address it saw, so the client is hops entries from the end and everything before is the client's word.
func clientAddress(hops int) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			addr := peerAddress(r)
			if hops > 0 {
				forwarded := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
				if i := len(forwarded) - hops; i >= 0 {
					if claimed, err := netip.ParseAddr(strings.TrimSpace(forwarded[i])); err == nil {
						addr = claimed.Unmap()
					}
				}
			}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), clientAddressKey{}, addr)))
		})
	}
}

func peerAddress(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr, _ := netip.ParseAddr(host) // the zero Addr for what is no IP address
	return addr.Unmap()
}
