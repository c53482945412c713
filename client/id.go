package client

import (
	"fmt"
	"slices"

	"github.com/google/uuid"
)

// NewID returns a UUIDv7 for an event or a purchase. Its time is that of the event unless the event has a TS.
func NewID() (uuid.UUID, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return uuid.Nil, fmt.Errorf("make an id: %w", err)
	}
	return id, nil
}

// identify gives events and purchases without an id one, so that a second attempt is recognized as such. Orders
// and refunds always have one. The caller's slices are not changed.
func (c *call) identify(body any) (err error) {
	switch body := body.(type) {
	case *EventInput:
		return ensureText(&body.ID)
	case *EventBulkRequest:
		body.Events = slices.Clone(body.Events)
		for i := range body.Events {
			if err := ensureText(&body.Events[i].ID); err != nil {
				return err
			}
		}
	case *PurchaseRequest:
		return ensureText(&body.ID)
	case *PurchaseBulkRequest:
		body.Purchases = slices.Clone(body.Purchases)
		for i := range body.Purchases {
			if err := ensureText(&body.Purchases[i].ID); err != nil {
				return err
			}
		}
	}
	return nil
}

func ensureText(id *string) error {
	if *id != "" {
		return nil
	}
	made, err := NewID()
	*id = made.String()
	return err
}
