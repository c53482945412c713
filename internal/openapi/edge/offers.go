package edge

import (
	"maps"
	"net/http"
	"slices"

	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/negotiation"
)

// offers are the media types that an operation answers with.
type offers struct {
	types   []string
	refused error
}

// newOffers returns nil for an operation that is not documented to answer 406. A write has none: it would be refused for
// the sake of its receipt.
func newOffers(o *contract.Operation) *offers {
	ok := o.Spec.Responses.Status(http.StatusOK)
	if o.Method != http.MethodGet || ok == nil || len(ok.Value.Content) == 0 || o.Spec.Responses.Status(http.StatusNotAcceptable) == nil {
		return nil
	}
	types := slices.Sorted(maps.Keys(ok.Value.Content))
	return &offers{types: types, refused: errs.New(errs.NotAcceptable, "not_acceptable",
		"This is answered as "+list(types)+"; the header Accept allows none of that.")}
}

// check returns an error if a request accepts none of the media types.
func (o *offers) check(header http.Header) error {
	if o == nil || len(header["Accept"]) == 0 {
		return nil
	}
	if _, ok := negotiation.MediaType(header, o.types...); !ok {
		return o.refused
	}
	return nil
}
