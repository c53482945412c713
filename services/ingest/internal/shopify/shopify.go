// Package shopify translates the webhooks of a shop of Shopify into orders and refunds. It checks their signatures, and knows neither HTTP
// nor the database.
//
// The payloads are those of https://shopify.dev/docs/api/admin-rest/latest/resources/order and …/refund, which webhooks in JSON carry,
// and the signature is that of https://shopify.dev/docs/apps/build/webhooks/subscribe/https. Neither the topic nor another header is signed,
// so what a webhook does is decided by its body: an order as the topic of a cancellation says that it was cancelled, or is ignored.
package shopify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/jsonerr"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/webhook"
)

// MaxBody is how many bytes a webhook has at most. An order of 2,000 lines has about 4 MB.
const MaxBody = 5 << 20

// ErrTooLarge is the answer to a larger one.
var ErrTooLarge = errs.New(errs.TooLarge, "body_too_large", fmt.Sprintf("The body has at most %d bytes.", MaxBody))

// Signed reports whether the signature in base64 is that of a body with a secret. It takes the same time wherever they differ.
func Signed(secret, signature string, body []byte) bool {
	sent, err := base64.StdEncoding.DecodeString(signature)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return err == nil && hmac.Equal(sent, mac.Sum(nil))
}

// Parse reads a webhook with a topic. An error refuses it as a whole. test says that it is a test.
func Parse(topic string, test bool, body []byte) (webhook.Delivery, error) {
	read := map[string]func([]byte) (webhook.Delivery, error){
		"orders/create": readOrder, "orders/paid": readOrder, "orders/cancelled": readCancellation, "refunds/create": readRefund,
	}[topic]
	switch {
	case read == nil:
		return webhook.Delivery{Ignored: "Webhooks with the topic " + fmt.Sprintf("%.50q", topic) + " are not counted."}, nil
	case test:
		return webhook.Delivery{Ignored: "Tests are not counted."}, nil
	}
	return read(body)
}

func decode(body []byte, to any) error {
	if err := json.Unmarshal(body, to); err != nil {
		return errs.New(errs.Malformed, event.CodeMalformed, "The body is no webhook of Shopify: "+jsonerr.Explain(err).Error()+".").Because(err)
	}
	return nil
}

func readOrder(body []byte) (webhook.Delivery, error) {
	var p payload
	if err := decode(body, &p); err != nil {
		return webhook.Delivery{}, err
	}
	switch {
	case p.Test:
		return webhook.Delivery{Ignored: "Orders of the test gateway are not counted."}, nil
	case p.CancelledAt != "" && p.unpaid():
		return webhook.Delivery{Ignored: "The order was cancelled before it was paid."}, nil
	}
	return webhook.Delivery{Order: p.order()}, nil
}

// readCancellation gives back what is left of an order that was never paid. What was paid for an order comes back by refunds.
func readCancellation(body []byte) (webhook.Delivery, error) {
	var p payload
	if err := decode(body, &p); err != nil {
		return webhook.Delivery{}, err
	}
	switch {
	case p.Test:
		return webhook.Delivery{Ignored: "Orders of the test gateway are not counted."}, nil
	case p.CancelledAt == "":
		return webhook.Delivery{Ignored: "The order is not cancelled."}, nil
	case !p.unpaid():
		return webhook.Delivery{Ignored: "What was paid for a cancelled order comes back by a refund."}, nil
	}
	r := webhook.Refund{Order: string(p.ID)}
	r.Draft.Reason = "cancelled"
	r.At = fact(&r.Draft.FactDraft, "cancellation of "+string(p.ID), p.CancelledAt, "cancelled_at")
	r.Rest = r.Draft
	return webhook.Delivery{Refund: &r}, nil
}
