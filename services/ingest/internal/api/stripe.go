package api

import (
	"net/http"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/stripe"
)

var stripeFormat = signedBody(stripe.MaxBody, stripe.ErrTooLarge)

// ReceiveStripe answers POST /hooks/stripe/{key}.
func (s *Server) ReceiveStripe(w http.ResponseWriter, r *http.Request, key string, _ ReceiveStripeParams) {
	s.answerHook(w, r, key, hook{
		service: authn.Stripe, format: stripeFormat, parse: stripe.Parse,
		verify: func(secret string, body []byte) error {
			return stripe.Verify(secret, r.Header.Get("Stripe-Signature"), body, time.Now())
		},
	})
}
