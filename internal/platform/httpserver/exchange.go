package httpserver

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
)

// exchange is one request and the state of its response. Handlers get it as their ResponseWriter.
type exchange struct {
	http.ResponseWriter

	request *http.Request // as received, for values that are rarely needed
	hops    int           // trusted proxies in front
	start   time.Time
	id      string
	problem problem.Recorder
	status  int // 0 until the response starts
	written int64
	broken  bool      // writing failed: the client is gone, or too slow
	streams time.Time // when the answer became a stream; zero for others
}

// WriteHeader implements http.ResponseWriter.
func (x *exchange) WriteHeader(status int) {
	if x.status == 0 && status >= http.StatusOK { // 1xx responses precede the final one
		x.status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (x *exchange) Write(p []byte) (int, error) {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	n, err := x.ResponseWriter.Write(p)
	x.written += int64(n)
	x.broken = x.broken || err != nil
	return n, err
}

// clientGone reports whether the response cannot be completed because of its client.
func (x *exchange) clientGone() bool {
	return x.broken || errors.Is(x.request.Context().Err(), context.Canceled)
}

// Unwrap gives http.ResponseController access to the underlying writer.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

type exchangeKey struct{}

func withExchange(ctx context.Context, x *exchange) context.Context {
	return context.WithValue(ctx, exchangeKey{}, x)
}

// ClientAddress returns the address of the client that sent the request of ctx, for rate limits. It is the zero Addr
// outside a request.
func ClientAddress(ctx context.Context) netip.Addr {
	x, ok := ctx.Value(exchangeKey{}).(*exchange)
	if !ok {
		return netip.Addr{}
	}
	return clientAddress(x.request, x.hops)
}

// RequestID returns the request id of the request of ctx, as in the answer and in the access log. It is empty outside a request.
func RequestID(ctx context.Context) string {
	x, ok := ctx.Value(exchangeKey{}).(*exchange)
	if !ok {
		return ""
	}
	return x.id
}
