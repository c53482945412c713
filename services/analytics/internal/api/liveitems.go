package api

import (
	"strconv"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/services/analytics/internal/live"
)

var sorts = map[LiveKind]live.Sort{LiveKindEvent: live.Plain, LiveKindOrder: live.Order, LiveKindRefund: live.Refund}

// kindOf is the inverse of sorts.
func kindOf(sort live.Sort) LiveKind {
	switch sort {
	case live.Order:
		return LiveKindOrder
	case live.Refund:
		return LiveKindRefund
	default:
		return LiveKindEvent
	}
}

// liveMessage returns the name and the data of the message that shows something stored.
func liveMessage(item live.Item) (name string, data any) {
	switch item.Sort {
	case live.Order:
		return string(LiveKindOrder), toLiveOrder(item)
	case live.Refund:
		return string(LiveKindRefund), toLiveRefund(item)
	default:
		return "", toLiveEvent(item)
	}
}

func toLiveEvent(item live.Item) LiveEvent {
	e := item.Event
	answer := LiveEvent{
		ID: e.ID, TS: e.TS.UTC(), Type: e.Type, BatchID: strconv.FormatInt(item.Batch, 10), ReceivedAt: item.Position.Received.UTC(),
		UserID: textOrNull(e.UserID), AnonymousID: textOrNull(e.AnonymousID), SKU: textOrNull(e.SKU),
	}
	if e.ProductID != uuid.Nil {
		answer.ProductID = &e.ProductID
	}
	return answer
}

func toLiveOrder(item live.Item) LiveOrder {
	e, m := item.Event, item.Event.Money
	return LiveOrder{
		ID: e.ID, TS: e.TS.UTC(), BatchID: strconv.FormatInt(item.Batch, 10), ReceivedAt: item.Position.Received.UTC(),
		UserID: textOrNull(e.UserID), AnonymousID: textOrNull(e.AnonymousID), Number: textOrNull(m.Number),
		Currency: m.Currency, AmountMinor: m.AmountMinor, LineCount: int32(m.Count), Lines: toLiveLines(m.Lines),
	}
}

func toLiveRefund(item live.Item) LiveRefund {
	e, m := item.Event, item.Event.Money
	answer := LiveRefund{
		ID: e.ID, TS: e.TS.UTC(), BatchID: strconv.FormatInt(item.Batch, 10), ReceivedAt: item.Position.Received.UTC(),
		UserID: textOrNull(e.UserID), AnonymousID: textOrNull(e.AnonymousID), Number: textOrNull(m.Number),
		Currency: m.Currency, AmountMinor: m.AmountMinor, LineCount: int32(m.Count), Lines: toLiveLines(m.Lines),
	}
	if m.Order != uuid.Nil {
		answer.OrderID = &m.Order
	}
	return answer
}

func toLiveLines(lines []live.Line) []LiveLine {
	answer := make([]LiveLine, len(lines))
	for i, l := range lines {
		answer[i] = LiveLine{ProductID: l.ProductID, SKU: l.SKU, Quantity: l.Units, AmountMinor: l.AmountMinor}
	}
	return answer
}
