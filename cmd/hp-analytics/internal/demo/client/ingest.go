package client

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// Event is something a user did with a product, which ProductID or SKU names.
type Event struct {
	ID         string            `json:"id"`
	Type       string            `json:"type"`
	ProductID  string            `json:"product_id,omitempty"`
	SKU        string            `json:"sku,omitempty"`
	UserID     string            `json:"user_id"`
	TS         time.Time         `json:"ts,omitzero"` // without it ID must be a UUIDv7, whose time it is
	Properties map[string]string `json:"properties,omitempty"`
}

// Fates says what became of the events of a request.
type Fates struct {
	Accepted   int         `json:"accepted"`
	Duplicates int         `json:"duplicates"`
	Rejected   int         `json:"rejected"`
	Errors     []ItemError `json:"errors"`
}

// SendEvent sends one event by itself.
func (c *Client) SendEvent(ctx context.Context, event Event) (Fates, error) {
	var answer struct {
		Status string `json:"status"`
	}
	if _, err := c.post(ctx, "/events", event, &answer); err != nil {
		return Fates{}, err
	}
	switch answer.Status {
	case "accepted":
		return Fates{Accepted: 1}, nil
	case "duplicate":
		return Fates{Duplicates: 1}, nil
	default:
		return Fates{}, fmt.Errorf("event %s: the platform answers with the status %q, which the contract does not have", event.ID, answer.Status)
	}
}

// SendEvents sends a batch of events in the given form. Refused events are no error.
func (c *Client) SendEvents(ctx context.Context, events []Event, form Form) (Fates, error) {
	body, header, err := form.encode(events)
	if err != nil {
		return Fates{}, err
	}
	var fates Fates
	if err := c.do(ctx, &call{method: http.MethodPost, path: "/events/bulk", header: header, body: body, into: &fates}); err != nil {
		return Fates{}, err
	}
	if sum := fates.Accepted + fates.Duplicates + fates.Rejected; sum != len(events) {
		return Fates{}, fmt.Errorf("the platform tells the fates of %d events, but was sent %d", sum, len(events))
	}
	return fates, nil
}

// Purchase is a purchase of a product.
type Purchase struct {
	ID          string    `json:"id"`
	SKU         string    `json:"sku"`
	Quantity    int64     `json:"quantity"`
	AmountMinor *int64    `json:"amount_minor,omitempty"` // price × quantity by default
	UserID      string    `json:"user_id"`
	TS          time.Time `json:"ts"`
}

// StoredPurchase is the platform's receipt for a purchase.
type StoredPurchase struct {
	ID      string `json:"id"`
	BatchID string `json:"batch_id"`
}

// SendPurchase sends a purchase. replayed is true when the platform had it before.
func (c *Client) SendPurchase(ctx context.Context, purchase Purchase, idempotencyKey string) (stored StoredPurchase, replayed bool, err error) {
	answer, err := c.post(ctx, "/purchases", purchase, &stored, "Idempotency-Key", idempotencyKey)
	return stored, answer.Get("Idempotency-Replayed") == "true", err
}
