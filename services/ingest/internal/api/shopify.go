package api

import (
	"net/http"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/shopify"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/webhook"
)

var shopifyFormat = signedBody(shopify.MaxBody, shopify.ErrTooLarge)

// ReceiveShopify answers POST /hooks/shopify/{key}.
func (s *Server) ReceiveShopify(w http.ResponseWriter, r *http.Request, key string, _ ReceiveShopifyParams) {
	s.answerHook(w, r, key, hook{
		service: authn.Shopify, format: shopifyFormat,
		verify: func(secret string, body []byte) error {
			if !shopify.Signed(secret, r.Header.Get("X-Shopify-Hmac-Sha256"), body) {
				return webhook.ErrSignature
			}
			return nil
		},
		parse: func(body []byte) (webhook.Delivery, error) {
			return shopify.Parse(r.Header.Get("X-Shopify-Topic"), r.Header.Get("X-Shopify-Test") == "true", body)
		},
	})
}
