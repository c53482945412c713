package edge

import (
	"context"
	"net/http"

	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
)

// eventStream is the media type of answers that go on while the credentials of their callers can end.
const eventStream = "text/event-stream"

// streams reports whether an operation answers with a stream of events.
func streams(o *contract.Operation) bool {
	ok := o.Spec.Responses.Status(http.StatusOK)
	return ok != nil && ok.Value.Content[eventStream] != nil
}

// admitted is a request for a stream.
type admitted struct {
	operation *operation
	request   *http.Request
	project   int16
}

type admittedKey struct{}

// streaming returns the request with what Again needs, if its answer is a stream.
func (o *operation) streaming(r *http.Request, caller authn.Principal) *http.Request {
	if !o.streams {
		return r
	}
	return r.WithContext(context.WithValue(r.Context(), admittedKey{}, admitted{operation: o, request: r, project: caller.Project.ID}))
}

// Again decides once more whether the caller of ctx may have the answer: its token can have expired since the answer began, its key can be
// revoked, its membership ended. ctx is that of an operation that answers with a stream of events.
func Again(ctx context.Context) error {
	a, ok := ctx.Value(admittedKey{}).(admitted)
	if !ok {
		return authn.ErrNoCredentials
	}
	o, r := a.operation, a.request.WithContext(ctx)
	caller, err := o.authenticator.Authenticate(ctx, r.Header.Get("Authorization"))
	if err != nil {
		return err
	}
	if caller, err = o.project.enter(o.authenticator, r, caller); err != nil {
		return err
	}
	if caller.Project.ID != a.project || !o.access.allows(caller, r) {
		return o.access.denied
	}
	return nil
}
