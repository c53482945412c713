package importer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/sync/errgroup"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer/group"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer/mapping"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer/source"
)

// Status is what became of an item.
type Status string

// The statuses.
const (
	Imported Status = "imported"
	Known    Status = "known" // it was stored before
	Refused  Status = "refused"
)

// Outcome is the answer for an item.
type Outcome struct {
	Status Status
	Reason string // of a refusal: a code and a sentence
}

// Target is where items go.
type Target interface {
	// Send stores items of one kind and returns what became of each. It repeats what fails for reasons that pass. After an
	// error nothing is known about the items.
	Send(ctx context.Context, kind mapping.Kind, items []group.Item) ([]Outcome, error)
	// Begin announces the events of some days, which may be of any age then, and Finish says that all are sent. The same id goes on
	// with an announcement that was interrupted.
	Begin(ctx context.Context, id string, first, last time.Time) error
	Finish(ctx context.Context) error
}

// run is the import of one file.
type run struct {
	Options

	name       string
	rows       *source.Rows
	state      *state
	progress   *progress
	groups     *group.Groups
	identities *group.Identities
	batches    map[mapping.Kind]*batch
	skus       map[string]uint64 // hashes of the products
}

// run reads the file in one goroutine, no faster than the others send. When ctx ends, nothing more is read, and the requests in
// flight may end within the grace.
func (r *run) run(ctx context.Context) error {
	sending, cancel := withGrace(ctx, r.Grace)
	defer cancel()
	workers, sending := errgroup.WithContext(sending)
	ready := make(chan []group.Item)
	workers.Go(func() error {
		defer close(ready)
		err := r.read(ctx, sending, ready)
		if ctx.Err() != nil {
			return nil // an error would end the requests in flight
		}
		return err
	})
	for range r.InFlight {
		workers.Go(func() error {
			for items := range ready {
				if err := r.send(sending, items); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := workers.Wait()
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return err
}

// withGrace returns a context that ends some time after ctx.
func withGrace(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	later, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		time.AfterFunc(grace, func() { cancel(context.Cause(ctx)) })
	})
	return later, func() { stop(); cancel(context.Canceled) }
}

func (r *run) send(ctx context.Context, items []group.Item) error {
	outcomes, err := r.Target.Send(ctx, items[0].Kind, items)
	if err != nil {
		return err
	}
	rows := 0
	for _, item := range items {
		rows += len(item.Rows)
	}
	r.progress.add(rows)
	return r.state.settle(items, outcomes)
}

// read hands over the items of the file in batches.
func (r *run) read(ctx, sending context.Context, ready chan<- []group.Item) error {
	r.batches, r.skus = map[mapping.Kind]*batch{}, map[string]uint64{}
	hand := func(items []group.Item) error {
		for _, item := range items {
			if err := r.collect(ctx, sending, ready, item); err != nil {
				return err
			}
		}
		return nil
	}
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		row, err := r.rows.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read on: %w", err)
		}
		items, err := r.items(row)
		if err != nil {
			return err
		}
		if err := hand(items); err != nil {
			return err
		}
	}
	if err := hand(r.groups.Rest()); err != nil {
		return err
	}
	for _, b := range r.batches {
		if err := deliver(ctx, sending, ready, b.take()); err != nil {
			return err
		}
	}
	return nil
}

// items returns the items that are complete with a row.
func (r *run) items(row *source.Row) ([]group.Item, error) {
	var fact mapping.Fact
	unread := row.Err != nil
	if !unread {
		fact, row.Err = r.Mapping.Fact(row)
	}
	id, derived := fact.Number, false
	if id == "" {
		var err error
		if id, err = r.identities.Of(row, fact); err != nil { // rows that are done count as well
			return nil, err
		}
		derived = true
	}
	switch {
	case r.state.isDone(row.Number):
		if fact.Kind == mapping.Products && row.Err == nil {
			_, _, err := r.firstOfSKU(fact)
			return nil, err
		}
		return nil, nil
	case unread:
		r.groups.Unread()
		return []group.Item{{ID: id, Derived: derived, Rows: []*source.Row{row}, Reason: row.Err.Error()}}, nil //nolint:nilerr // the item says it
	case fact.Number != "" && fact.Kind != mapping.Events:
		return r.groups.Add(row, fact), nil
	case row.Err != nil:
		return []group.Item{{Kind: fact.Kind, ID: id, Derived: derived, Rows: []*source.Row{row}, Reason: row.Err.Error()}}, nil //nolint:nilerr // likewise
	case fact.Kind == mapping.Products:
		return r.product(row, fact)
	default:
		return append(r.groups.Complete(row.Number), group.Single(row, fact, id, derived)), nil
	}
}

// product returns the item of a row about a product. Requests are in flight at the same time, so of two rows about one product
// nobody could say which counts: the first one does.
func (r *run) product(row *source.Row, fact mapping.Fact) ([]group.Item, error) {
	item := group.Single(row, fact, fact.SKU, false)
	first, same, err := r.firstOfSKU(fact)
	switch {
	case err != nil:
		return nil, err
	case first:
	case same || r.Mapping.RepeatedSKU == mapping.KeepFirst:
		r.progress.add(1)
		return nil, r.state.settle([]group.Item{item}, []Outcome{{Status: Known}})
	default:
		item.Reason = "duplicate_sku: an earlier row has other content for this SKU; if the first one counts, say so in the mapping (repeated_sku: first)"
	}
	return []group.Item{item}, nil
}

// firstOfSKU reports whether a product is the first one with its SKU, and if not, whether it has the content of the first.
func (r *run) firstOfSKU(fact mapping.Fact) (first, same bool, err error) {
	content, err := json.Marshal(fact)
	if err != nil {
		return false, false, err
	}
	hash := xxhash.Sum64(content)
	before, again := r.skus[fact.SKU]
	if !again {
		r.skus[fact.SKU] = hash
	}
	return !again, before == hash, nil
}
