package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/order"
)

// maxRefundRounds is maxRounds for refunds. When two processes refund one order at the same time, one of them has stored nothing
// and begins anew, so each round brings some process on.
const maxRefundRounds = 16

// StoreRefunds implements committer.Store. A round reads the orders, plans the refunds one after the other, and stores them in
// one transaction if nobody has refunded one of these orders meanwhile.
func (s *Store) StoreRefunds(ctx context.Context, refunds []order.Refund) ([]order.RefundOutcome, error) {
	defer s.observe(protocol.KindRefunds, len(refunds), time.Now())
	outcomes := make([]order.RefundOutcome, len(refunds))
	open := make([]int, len(refunds))
	for i := range open {
		open[i] = i
	}
	for range maxRefundRounds {
		var err error
		open, err = s.storeRefunds(ctx, refunds, open, outcomes)
		if err != nil {
			err = classify(fmt.Errorf("store %d refunds: %w", len(refunds), err))
			if len(open) == len(refunds) {
				return nil, err
			}
			failRefunds(outcomes, open, err)
			return outcomes, nil
		}
		if len(open) == 0 {
			return outcomes, nil
		}
	}
	failRefunds(outcomes, open, errContended)
	return outcomes, nil
}

func failRefunds(outcomes []order.RefundOutcome, open []int, err error) {
	for _, i := range open {
		outcomes[i].Err = err
	}
}

// storeRefunds is one round. It returns the refunds that are still open.
func (s *Store) storeRefunds(ctx context.Context, refunds []order.Refund, open []int, outcomes []order.RefundOutcome) ([]int, error) {
	if err := s.replayRefunds(ctx, refunds, open, outcomes); err != nil {
		return open, err
	}
	open = undecidedRefunds(open, outcomes)
	keys := ordersOf(refunds, open)
	epochs, err := s.epochsOf(ctx, keys) // before the orders, whose users are those of this epoch or a later one
	if err != nil {
		return open, err
	}
	orders, err := s.ordersByKey(ctx, keys)
	if err != nil {
		return open, err
	}
	before := make(map[order.Key]order.Order, len(orders)) // as read, while orders change by the plans
	for key, o := range orders {
		o.Lines = slices.Clone(o.Lines)
		before[key] = o
	}
	planned, failed := planRefunds(refunds, open, orders, epochs)
	stored, erased, err := s.insertRefunds(ctx, planned, before)
	if keyTaken(err) {
		return open, nil // the next round finds it
	}
	if err != nil {
		return open, err
	}
	for _, i := range open {
		switch r, ok := stored[refunds[i].Key]; {
		case failed[i] != nil:
			outcomes[i].Err = failed[i]
		case ok && r.index == i:
			outcomes[i].Refund = r.Refund
		case refunds[i].Order == uuid.Nil && refunds[i].Epoch < erased[refunds[i].Project]:
			outcomes[i].Err = event.ExpiredError{Epoch: erased[refunds[i].Project]}
		}
	}
	return undecidedRefunds(open, outcomes), nil
}

func undecidedRefunds(open []int, outcomes []order.RefundOutcome) []int {
	return slices.DeleteFunc(open, func(i int) bool { return outcomes[i].Decided() })
}

// ordersOf returns the different orders of the open refunds.
func ordersOf(refunds []order.Refund, open []int) []order.Key {
	keys := map[order.Key]struct{}{}
	for _, i := range open {
		if refunds[i].Order != uuid.Nil {
			keys[refunds[i].OrderKey()] = struct{}{}
		}
	}
	return slices.SortedFunc(maps.Keys(keys), compareKeys)
}

// plannedRefund is a refund to store.
type plannedRefund struct {
	order.Refund

	index int
}

// planRefunds plans the open refunds in their order, each after the others of its order, and returns the errors of those that
// cannot be, by index. Of several with the same key only the first is planned. epochs are those at which the orders were read.
func planRefunds(refunds []order.Refund, open []int, orders map[order.Key]order.Order, epochs map[int16]int64) (planned []plannedRefund, failed map[int]error) {
	seen := make(map[order.Key]struct{}, len(open))
	failed = map[int]error{}
	for _, i := range open {
		r := refunds[i]
		if _, again := seen[r.Key]; again {
			continue
		}
		seen[r.Key] = struct{}{}
		if r.Order == uuid.Nil {
			planned = append(planned, plannedRefund{Refund: r, index: i})
			continue
		}
		o, ok := orders[r.OrderKey()]
		if !ok {
			failed[i] = order.ErrUnknown
			continue
		}
		attempt := o
		attempt.Lines = slices.Clone(o.Lines)
		if err := r.Plan(&attempt); err != nil {
			failed[i] = err
			continue
		}
		r.Epoch, r.OrderNumber = epochs[r.Project], o.Number
		orders[r.OrderKey()] = attempt
		planned = append(planned, plannedRefund{Refund: r, index: i})
	}
	return planned, failed
}

// replayRefunds settles the open refunds whose id was stored before.
func (s *Store) replayRefunds(ctx context.Context, refunds []order.Refund, open []int, outcomes []order.RefundOutcome) error {
	keys := make([]order.Key, len(open))
	for n, i := range open {
		keys[n] = refunds[i].Key
	}
	known, err := s.refundsByKey(ctx, keys)
	if err != nil {
		return err
	}
	for _, i := range open {
		stored, ok := known[refunds[i].Key]
		switch {
		case !ok:
		case stored.ContentHash != refunds[i].ContentHash:
			outcomes[i].Err = order.ErrConflict
		default:
			outcomes[i] = order.RefundOutcome{Refund: stored, Replayed: true}
		}
	}
	return nil
}

// KnownRefund implements order.Archive.
func (s *Store) KnownRefund(ctx context.Context, refund order.Refund) (order.RefundOutcome, error) {
	var outcomes [1]order.RefundOutcome
	if err := s.replayRefunds(ctx, []order.Refund{refund}, []int{0}, outcomes[:]); err != nil {
		return order.RefundOutcome{}, postgres.Classify(fmt.Errorf("look for refund %s: %w", refund.ID, err))
	}
	return outcomes[0], nil
}
