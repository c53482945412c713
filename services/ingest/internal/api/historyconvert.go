package api

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/history"
)

// normal returns the form in which names are stored. A text that cannot be a name is found nowhere.
func normal(text string) string { return norm.NFC.String(strings.TrimSpace(text)) }

func rawEventPage(p history.Page, asked string) RawEventPage {
	answer := RawEventPage{Items: make([]RawEvent, len(p.Items)), NextCursor: nextCursor(p, asked)}
	for i, item := range p.Items {
		answer.Items[i] = toRawEvent(*item.Event)
	}
	return answer
}

func timelinePage(p history.Page, asked string) TimelinePage {
	answer := TimelinePage{Items: make([]TimelineItem, len(p.Items)), NextCursor: nextCursor(p, asked)}
	for i, item := range p.Items {
		switch {
		case item.Event != nil:
			e := toRawEvent(*item.Event)
			answer.Items[i] = TimelineItem{Kind: TimelineKindEvent, TS: e.TS, Event: &e}
		case item.Order != nil:
			o := toRawOrder(*item.Order)
			answer.Items[i] = TimelineItem{Kind: TimelineKindOrder, TS: o.TS, Order: &o}
		default:
			r := toRawRefund(*item.Refund)
			answer.Items[i] = TimelineItem{Kind: TimelineKindRefund, TS: r.TS, Refund: &r}
		}
	}
	return answer
}

func nextCursor(p history.Page, asked string) *string {
	if p.Next == nil {
		return nil
	}
	return new(p.Next.Cursor(asked))
}

// orNil returns nil for the zero value.
func orNil[T comparable](value T) *T {
	var zero T
	if value == zero {
		return nil
	}
	return &value
}

// userIDs returns a user as the members user_id and anonymous_id; nobody has neither.
func userIDs(u history.User) (userID, anonymousID *string) {
	if u.Anonymous {
		return nil, orNil(u.ID)
	}
	return orNil(u.ID), nil
}

func receiptID(r history.Receipt) string { return strconv.FormatInt(r.Batch, 10) }

func object(properties json.RawMessage) json.RawMessage {
	if properties == nil {
		return json.RawMessage("{}")
	}
	return properties
}

func toRawEvent(e history.Event) RawEvent {
	user, anonymous := userIDs(e.User)
	return RawEvent{
		ID: e.ID, TS: e.TS, Type: e.Type, UserID: user, AnonymousID: anonymous, ProductID: orNil(e.Product.ID), SKU: orNil(e.Product.SKU),
		BatchID: receiptID(e.Receipt), ReceivedAt: e.Receipt.ReceivedAt, Properties: object(e.Properties),
	}
}

func toRawOrder(o history.Order) RawOrder {
	user, anonymous := userIDs(o.User)
	order := RawOrder{
		ID: o.ID, Number: orNil(o.Number), TS: o.TS, UserID: user, AnonymousID: anonymous, Currency: o.Currency,
		Lines: make([]RawOrderLine, len(o.Lines)), BatchID: receiptID(o.Receipt), ReceivedAt: o.Receipt.ReceivedAt, Properties: object(o.Properties),
	}
	for i, l := range o.Lines {
		order.Lines[i] = RawOrderLine{
			Line: int32(l.Number), ProductID: l.Product.ID, SKU: l.Product.SKU, Quantity: l.Units, AmountMinor: l.AmountMinor,
			RefundedQuantity: l.RefundedUnits, RefundedMinor: l.RefundedMinor,
		}
	}
	return order
}

func toRawRefund(r history.Refund) RawRefund {
	user, anonymous := userIDs(r.User)
	refund := RawRefund{
		ID: r.ID, OrderID: orNil(r.Order), TS: r.TS, UserID: user, AnonymousID: anonymous, Currency: r.Currency, Reason: orNil(r.Reason),
		Lines: make([]RawRefundLine, len(r.Lines)), BatchID: receiptID(r.Receipt), ReceivedAt: r.Receipt.ReceivedAt,
	}
	for i, l := range r.Lines {
		refund.Lines[i] = RawRefundLine{Line: int32(l.Number), ProductID: l.Product.ID, SKU: l.Product.SKU, Quantity: l.Units, AmountMinor: l.AmountMinor}
	}
	return refund
}

// The columns of exports in CSV, in the order of the members of ExportedEvent, ExportedOrderLine and ExportedRefundLine in the
// contract.
var (
	eventColumns = []string{
		"id", "ts", "type", "user_id", "anonymous_id", "product_id", "sku", "batch_id", "received_at", "properties", "cursor",
	}
	orderLineColumns = []string{
		"id", "number", "ts", "user_id", "anonymous_id", "currency", "line", "product_id", "sku", "quantity", "amount_minor",
		"refunded_quantity", "refunded_minor", "batch_id", "received_at", "properties", "cursor",
	}
	refundLineColumns = []string{
		"id", "order_id", "ts", "user_id", "anonymous_id", "currency", "reason", "line", "product_id", "sku", "quantity", "amount_minor",
		"batch_id", "received_at", "cursor",
	}
)

func exportedEvent(e history.Event, m history.Mark) ExportedEvent {
	raw := toRawEvent(e)
	return ExportedEvent{
		ID: raw.ID, TS: raw.TS, Type: raw.Type, UserID: raw.UserID, AnonymousID: raw.AnonymousID, ProductID: raw.ProductID, SKU: raw.SKU,
		BatchID: raw.BatchID, ReceivedAt: raw.ReceivedAt, Properties: raw.Properties, Cursor: m.Cursor(),
	}
}

func exportedOrderLine(o history.Order, m history.Mark) ExportedOrderLine {
	raw := toRawOrder(o)
	l := raw.Lines[0]
	return ExportedOrderLine{
		ID: raw.ID, Number: raw.Number, TS: raw.TS, UserID: raw.UserID, AnonymousID: raw.AnonymousID, Currency: raw.Currency, Line: l.Line,
		ProductID: l.ProductID, SKU: l.SKU, Quantity: l.Quantity, AmountMinor: l.AmountMinor, RefundedQuantity: l.RefundedQuantity,
		RefundedMinor: l.RefundedMinor, BatchID: raw.BatchID, ReceivedAt: raw.ReceivedAt, Properties: raw.Properties, Cursor: m.Cursor(),
	}
}

func exportedRefundLine(r history.Refund, m history.Mark) ExportedRefundLine {
	raw := toRawRefund(r)
	l := raw.Lines[0]
	return ExportedRefundLine{
		ID: raw.ID, OrderID: raw.OrderID, TS: raw.TS, UserID: raw.UserID, AnonymousID: raw.AnonymousID, Currency: raw.Currency, Reason: raw.Reason,
		Line: l.Line, ProductID: l.ProductID, SKU: l.SKU, Quantity: l.Quantity, AmountMinor: l.AmountMinor,
		BatchID: raw.BatchID, ReceivedAt: raw.ReceivedAt, Cursor: m.Cursor(),
	}
}

// valueOr returns what given points to, or else the default.
func valueOr[T string | int | uuid.UUID](given *T, otherwise T) T {
	if given == nil {
		return otherwise
	}
	return *given
}
