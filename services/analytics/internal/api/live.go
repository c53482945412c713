package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/openapi/edge"
	"github.com/hp-analytics/hp-analytics/internal/platform/admission"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/live"
)

// heartbeat is the time between two signs of life. Proxies end an answer in which nothing comes for longer; the gateway waits 25 s.
const heartbeat = 15 * time.Second

// LiveEvents implements GET /analytics/live.
func (s *Server) LiveEvents(ctx context.Context, request LiveEventsRequestObject) (LiveEventsResponseObject, error) {
	caller, err := authn.Require(ctx)
	if err != nil {
		return nil, err
	}
	p := request.Params
	filter := live.Filter{Type: valueOr(p.Type, ""), User: valueOr(p.UserID, ""), Product: valueOr(p.ProductID, uuid.Nil), SKU: valueOr(p.SKU, "")}
	if p.Kind != nil {
		filter.Sort = new(sorts[*p.Kind])
	}
	var after *live.Position
	if p.LastEventID != nil {
		position, ok := live.ParsePosition(*p.LastEventID)
		if !ok || position.Received.After(s.Now().Add(time.Hour)) {
			return nil, errNoPosition
		}
		after = &position
	}
	viewer, err := s.Live.Join(ctx, caller.Project.ID, filter, after)
	if err != nil {
		return nil, err
	}
	return stream(func(w http.ResponseWriter) error { return s.show(ctx, w, viewer) }), nil
}

var errNoPosition = errs.New(errs.Invalid, "invalid_position", "The Last-Event-ID is not the id of a message of this stream.", errs.Field{
	Pointer: "/header/Last-Event-ID", Code: "invalid_position", Detail: "The Last-Event-ID is not the id of a message of this stream.",
})

// stream is an answer that writes itself.
type stream func(w http.ResponseWriter) error

// VisitLiveEventsResponse implements LiveEventsResponseObject.
func (s stream) VisitLiveEventsResponse(w http.ResponseWriter) error { return s(w) }

// headOfStream answers a HEAD with the header of the stream.
func headOfStream(next StrictHandlerFunc, _ string) StrictHandlerFunc {
	return func(ctx context.Context, w http.ResponseWriter, r *http.Request, request any) (any, error) {
		if _, ok := request.(LiveEventsRequestObject); ok && r.Method == http.MethodHead {
			newEventWriter(w).header()
			return nil, nil
		}
		return next(ctx, w, r, request)
	}
}

// show writes what a viewer looks at until it hangs up, must not look any more, or the service stops. An error is one before the
// first byte.
func (s *Server) show(ctx context.Context, w http.ResponseWriter, viewer *live.Viewer) error {
	defer viewer.Leave()
	admission.Release(ctx) // a reader does not count as a request in progress
	ctx, cancel, err := httpserver.Stream(ctx, w)
	if err != nil {
		return err
	}
	defer cancel()
	out := newEventWriter(w)
	out.begin(viewer.Position())
	code := s.follow(ctx, out, viewer)
	if code != "" {
		out.end(code)
	}
	return nil
}

// follow writes items until the stream ends, and returns the code with which it does; empty if nobody reads any more.
func (s *Server) follow(ctx context.Context, out *eventWriter, viewer *live.Viewer) LiveEndCode {
	beat := time.NewTicker(s.heartbeat())
	defer beat.Stop()
	for out.err == nil {
		items, changed, err := viewer.Take(ctx)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			return LiveEndCodeUnavailable
		}
		for _, item := range items {
			out.item(item)
		}
		if len(items) > 0 {
			out.flush()
			changed = ready
		}
		select {
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), httpserver.ErrStopping) {
				return LiveEndCodeRestart
			}
			return ""
		case <-beat.C:
			if err := edge.Again(ctx); err != nil && !errs.Is(err, errs.Unavailable) {
				return LiveEndCodeCredentials
			}
			out.beat(viewer.Position())
		case <-changed:
		}
	}
	return ""
}

// ready is a channel on which nobody waits.
var ready = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

func (s *Server) heartbeat() time.Duration {
	if s.Heartbeat > 0 {
		return s.Heartbeat
	}
	return heartbeat
}

func textOrNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
