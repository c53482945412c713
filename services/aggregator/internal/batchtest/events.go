package batchtest

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/internal/protocol/facts"
)

// Events commits a batch of n events, some of them without a product, and returns its id.
func (w *Writer) Events(n int) int64 {
	w.tb.Helper()
	events := make([]facts.Event, n)
	for i := range events {
		events[i] = facts.Event{TS: w.time(), User: some(w, w.Users), Product: some(w, w.Products), Name: w.Names[w.random.IntN(len(w.Names))]}
		if w.random.IntN(8) == 0 {
			events[i].Product = 0
		}
	}
	return w.Send(events...)
}

// Send commits a batch of the given events and returns its id.
func (w *Writer) Send(events ...facts.Event) int64 {
	w.tb.Helper()
	id := w.newID()
	b := newEventBatch(id)
	for _, e := range events {
		b.add(w.Project, e)
	}
	w.inTx(func(ctx context.Context, tx pgx.Tx) error {
		if err := b.copyRows(ctx, tx); err != nil {
			return err
		}
		if err := w.see(ctx, tx, b.users, b.times); err != nil {
			return err
		}
		return w.receipt(ctx, tx, id, protocol.KindEvents, len(events), b.times, b.facts)
	})
	return id
}

// eventBatch is a batch of events in the making.
type eventBatch struct {
	id    int64
	rows  [][]any
	times []time.Time
	users []int64
	facts []byte
}

func newEventBatch(id int64) *eventBatch {
	return &eventBatch{id: id}
}

func (b *eventBatch) add(project int16, e facts.Event) {
	if len(b.times) == 0 {
		b.facts = facts.AppendHeader(nil, e.TS)
	}
	b.times, b.users = append(b.times, e.TS), append(b.users, e.User)
	b.facts = facts.AppendEvent(b.facts, b.times[0], e)
	var product *int32
	if e.Product != 0 {
		product = &e.Product
	}
	b.rows = append(b.rows, []any{e.TS, e.User, b.id, [16]byte(uuid.New()), product, project, e.Name})
}

var eventColumns = []string{"ts", "user_n", "batch", "id", "product", "project", "name"}

func (b *eventBatch) copyRows(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"ingest", "events"}, eventColumns, pgx.CopyFromRows(b.rows))
	return err
}
