package committer

import (
	"context"

	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/order"
)

var _ order.Committer = (*Committer)(nil)

// ordersRequest is the orders of a request.
type ordersRequest struct {
	orders   []order.Order
	outcomes []order.Outcome
}

type refundRequest struct {
	refunds  []order.Refund
	outcomes []order.RefundOutcome
}

// CommitOrders implements order.Committer. Only a single order can have an Idempotency-Key.
func (c *Committer) CommitOrders(ctx context.Context, orders []order.Order) ([]order.Outcome, error) {
	if key := orders[0].Idempotency; key != nil {
		name := *key
		name.BodyHash = order.Hash{} // two requests with other bodies are in each other's way, too
		if _, taken := c.keys.LoadOrStore(name, nil); taken {
			return []order.Outcome{{Err: order.ErrKeyInFlight}}, nil
		}
		defer c.keys.Delete(name)
	}
	rows := 0
	for i := range orders {
		rows += len(orders[i].Lines)
	}
	r, err := c.orders.do(ctx, ordersRequest{orders: orders}, orders[0].Project, rows)
	return r.outcomes, err
}

// CommitRefund implements order.Committer.
func (c *Committer) CommitRefund(ctx context.Context, refund order.Refund) (order.RefundOutcome, error) {
	outcomes, err := c.CommitRefunds(ctx, []order.Refund{refund})
	if err != nil {
		return order.RefundOutcome{}, err
	}
	return outcomes[0], nil
}

// CommitRefunds implements order.Committer.
func (c *Committer) CommitRefunds(ctx context.Context, refunds []order.Refund) ([]order.RefundOutcome, error) {
	rows := 0
	for i := range refunds {
		rows += max(1, len(refunds[i].Lines))
	}
	r, err := c.refunds.do(ctx, refundRequest{refunds: refunds}, refunds[0].Project, rows)
	return r.outcomes, err
}

// flushOrders writes and answers requests that share a transaction.
func (c *Committer) flushOrders(ctx context.Context, members []*member[ordersRequest]) {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	ctx, span := traced(ctx, protocol.KindOrders, members)
	defer span.End()
	bisect(ctx, c.lockWait, members, func(ctx context.Context, members []*member[ordersRequest]) error {
		var orders []order.Order
		for _, m := range members {
			orders = append(orders, m.request.orders...)
		}
		outcomes, err := c.store.StoreOrders(ctx, orders)
		if err != nil {
			return err
		}
		c.requests.Observe(float64(len(members)))
		for i := range outcomes {
			if outcomes[i].Err == nil && !outcomes[i].Replayed {
				c.waker.Wake(ctx)
				break
			}
		}
		for _, m := range members {
			n := len(m.request.orders)
			m.request.outcomes, outcomes = outcomes[:n:n], outcomes[n:]
		}
		return nil
	})
}

// flushRefunds does the same for refunds.
func (c *Committer) flushRefunds(ctx context.Context, members []*member[refundRequest]) {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	ctx, span := traced(ctx, protocol.KindRefunds, members)
	defer span.End()
	bisect(ctx, c.lockWait, members, func(ctx context.Context, members []*member[refundRequest]) error {
		var refunds []order.Refund
		for _, m := range members {
			refunds = append(refunds, m.request.refunds...)
		}
		outcomes, err := c.store.StoreRefunds(ctx, refunds)
		if err != nil {
			return err
		}
		c.requests.Observe(float64(len(members)))
		for i := range outcomes {
			if outcomes[i].Err == nil && !outcomes[i].Replayed {
				c.waker.Wake(ctx)
				break
			}
		}
		for _, m := range members {
			n := len(m.request.refunds)
			m.request.outcomes, outcomes = outcomes[:n:n], outcomes[n:]
		}
		return nil
	})
}
