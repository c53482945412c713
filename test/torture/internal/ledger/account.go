package ledger

import (
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"
)

// Account is the clients' view of a finished run.
type Account struct {
	Events    map[uuid.UUID]Event    // acknowledged
	Purchases map[uuid.UUID]Purchase // acknowledged, with the ids and times of the server
	Orders    map[uuid.UUID]Order    // acknowledged
	Refunds   map[uuid.UUID]Refund   // acknowledged
	Stored    map[uuid.UUID]string   // the batch that an item must be in, if an answer named it
	Batches   []string               // named by an answer
	Problems  []string               // impossible answers, and items that were never acknowledged
}

// Account closes the ledger. An item that was sent and not acknowledged is a problem.
func (l *Ledger) Account() Account {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := Account{
		Events: map[uuid.UUID]Event{}, Purchases: map[uuid.UUID]Purchase{}, Orders: map[uuid.UUID]Order{},
		Refunds: map[uuid.UUID]Refund{}, Stored: map[uuid.UUID]string{},
		Batches: slices.Collect(maps.Keys(l.batches)), Problems: slices.Clone(l.problems),
	}
	for id, e := range l.events {
		if !e.acknowledged {
			a.Problems = append(a.Problems, fmt.Sprintf("event %s was sent %d times and never acknowledged", id, e.attempts))
			continue
		}
		a.Events[id] = e.event
		if e.batch != "" {
			a.Stored[id] = e.batch
		}
	}
	for name, p := range l.purchases {
		if !p.acknowledged {
			a.Problems = append(a.Problems, fmt.Sprintf("purchase %s was sent %d times and never acknowledged", name, p.attempts))
			continue
		}
		stored := p.purchase
		stored.ID, stored.TS = p.answer.ID, p.answer.TS
		a.Purchases[stored.ID] = stored
		a.Stored[stored.ID] = p.answer.BatchID
	}
	for id, o := range l.orders {
		if !o.acknowledged {
			a.Problems = append(a.Problems, fmt.Sprintf("order %s was sent %d times and never acknowledged", id, o.attempts))
			continue
		}
		a.Orders[id], a.Stored[id] = o.order, o.answer.BatchID
	}
	for id, r := range l.refunds {
		if !r.acknowledged {
			a.Problems = append(a.Problems, fmt.Sprintf("refund %s was sent %d times and never acknowledged", id, r.attempts))
			continue
		}
		a.Refunds[id], a.Stored[id] = r.refund, r.answer.BatchID
	}
	return a
}
