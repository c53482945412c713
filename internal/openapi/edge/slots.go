package edge

import (
	"context"
	"net/http"

	"github.com/hp-analytics/hp-analytics/internal/platform/admission"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
)

// enter waits for a slot, before anything of the body is read, and returns the request with it.
func (o *operation) enter(r *http.Request) (*http.Request, *admission.Slot, error) {
	if o.slots == nil {
		return r, nil, nil
	}
	slot, err := o.slots.Enter(r.Context(), sharer(r.Context()))
	if err != nil {
		return nil, nil, err
	}
	r = r.WithContext(admission.With(r.Context(), slot))
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = slot.Body(r.Context(), r.Body)
	}
	return r, slot, nil
}

// sharer returns who shares slots with the caller of ctx.
func sharer(ctx context.Context) admission.Key {
	caller, err := authn.Require(ctx)
	if err != nil {
		return admission.Key{Name: httpserver.ClientNetwork(ctx)}
	}
	return sharerOf(caller, func() string { return httpserver.ClientNetwork(ctx) })
}

// sharerOf returns who shares slots with a caller: the members and keys of its project, or whoever sends from the same network if the caller
// can be anybody.
func sharerOf(caller authn.Principal, network func() string) admission.Key {
	switch {
	case caller.Guest, caller.Public != nil: // visitors of a page do not take the slots of the project's servers
		return admission.Key{Name: network()}
	case caller.Link != nil: // whose holders can be anybody
		return admission.Key{Name: caller.ID()}
	case caller.Project.ID != 0:
		return admission.Key{Project: caller.Project.ID}
	default:
		return admission.Key{Name: caller.Owner}
	}
}
