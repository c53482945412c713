package httpserver

import (
	"net/http"
	"net/netip"
	"sync"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
)

// ipv6Prefix is how much of an IPv6 address tells clients apart: a household or a server gets at least a /64.
const ipv6Prefix = 64

// networkOf returns the network that counts as one client.
func networkOf(addr netip.Addr) netip.Addr {
	if !addr.Is6() || addr.Is4In6() {
		return addr.Unmap()
	}
	prefix, err := addr.WithZone("").Prefix(ipv6Prefix)
	if err != nil {
		return addr
	}
	return prefix.Addr()
}

// inFlight counts the requests of each client network that a server is working on, those whose body is still arriving
// included. It is what limit_conn is in nginx, for installations without that.
type inFlight struct {
	limit int // 0: none

	mu     sync.Mutex
	counts map[netip.Addr]int // without zeros, so it is as large as the number of requests in flight
}

func newInFlight(limit int) *inFlight { return &inFlight{limit: limit, counts: map[netip.Addr]int{}} }

// enter reports whether network may have one more request. Leave must follow if so.
func (f *inFlight) enter(network netip.Addr) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.counts[network] >= f.limit {
		return false
	}
	f.counts[network]++
	return true
}

func (f *inFlight) leave(network netip.Addr) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.counts[network]--; f.counts[network] == 0 {
		delete(f.counts, network)
	}
}

// around answers 429 for a network that has too many requests in flight. The operational endpoints are not limited, because
// probes of an overloaded service must not fail.
func (f *inFlight) around(e *edge) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler { return f.limited(e, next) }
}

func (f *inFlight) limited(e *edge, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f.limit == 0 || r.URL.Path == livePath || r.URL.Path == "/ready" {
			next.ServeHTTP(w, r)
			return
		}
		network := networkOf(ClientAddress(r.Context()))
		if !f.enter(network) {
			w.Header().Set("Connection", "close") // the body is not read
			e.shareWith(w.Header(), r)
			problem.Write(w, r, errs.New(errs.TooMany, "rate_limited",
				"Too many requests from this address are in progress; send the next one when one of them is answered."))
			return
		}
		defer f.leave(network)
		next.ServeHTTP(w, r)
	})
}
