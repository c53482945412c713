package httpserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

type stoppingKey struct{}

// withStopping lets the streams of a server end when it stops.
func withStopping(ctx context.Context, stopping <-chan struct{}) context.Context {
	return context.WithValue(ctx, stoppingKey{}, stopping)
}

// ErrStopping is why a stream has to end: the server stops.
var ErrStopping = errors.New("the server stops")

// Stream turns the answer to the request of ctx into one that may go on for hours. The context that it returns has the values of ctx, and
// no deadline: it ends when the client hangs up, and when the server stops (its cause is ErrStopping then), because a server waits for the
// answers in progress. Each write has to set its own deadline. The metrics of requests count the time until now. cancel gives resources
// back and must be called.
func Stream(ctx context.Context, w http.ResponseWriter) (stream context.Context, cancel context.CancelFunc, err error) {
	stream, end := context.WithCancelCause(context.WithoutCancel(ctx))
	x, ok := ctx.Value(exchangeKey{}).(*exchange)
	if !ok {
		return stream, func() { end(context.Canceled) }, nil
	}
	x.streams = time.Now()
	received := x.request.Context()
	// The deadline for reading the request would look like a client that hangs up.
	if err := http.NewResponseController(w).SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		end(err)
		return nil, nil, fmt.Errorf("begin a stream: %w", err)
	}
	unhook := context.AfterFunc(received, func() { end(context.Cause(received)) })
	stopping, _ := received.Value(stoppingKey{}).(<-chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		select {
		case <-stopping:
			end(ErrStopping)
		case <-stream.Done():
		}
	}()
	return stream, func() { unhook(); end(context.Canceled); <-stopped }, nil
}
