package edge

import (
	"context"
	"net/http"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// unidentified is a request whose caller the handler finds out.
type unidentified struct {
	operation *operation
	request   *http.Request
}

type unidentifiedKey struct{}

// unidentified returns a request with what Identify needs.
func (o *operation) unidentified(r *http.Request) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), unidentifiedKey{}, unidentified{operation: o, request: r}))
}

var errNoKeyInBody = errs.New(errs.Unauthenticated, "invalid_api_key", "What stands in the body or the query is no API key.")

// Identify returns the caller of a request: the one of its header, or the one with an API key that the handler found in the query or the
// body, checked as a key in the header is. The operation has x-credentials: body.
func Identify(ctx context.Context, key string) (authn.Principal, error) {
	u, ok := ctx.Value(unidentifiedKey{}).(unidentified)
	if !ok || key == "" {
		return authn.Require(ctx)
	}
	caller, err := u.operation.authenticator.Authenticate(ctx, "Bearer "+key)
	if errs.CodeOf(err) == "invalid_token" { // most often the key of another system
		return authn.Principal{}, errNoKeyInBody.Because(err)
	}
	if err != nil {
		return authn.Principal{}, err
	}
	if caller.KeyID == "" { // a token
		return authn.Principal{}, errNoKeyInBody
	}
	if caller, err = u.operation.project.enter(u.operation.authenticator, u.request, caller); err != nil {
		return authn.Principal{}, err
	}
	if err := caller.From(otherOrigin(u.request)); err != nil {
		return authn.Principal{}, err
	}
	if !u.operation.access.allows(caller, u.request) {
		return authn.Principal{}, u.operation.access.denied
	}
	return caller, nil
}
