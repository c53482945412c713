package ledger_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/test/torture/internal/ledger"
)

const batch = "4711"

var (
	a, b = event(1), event(2)
)

func event(n byte) ledger.Event { return ledger.Event{ID: uuid.UUID{15: n}, Type: "view"} }

// problems runs a scenario on a new ledger and returns the problems that it records.
func problems(story func(l *ledger.Ledger)) ledger.Account {
	l := ledger.New()
	story(l)
	return l.Account()
}

func single(e ledger.Event) *ledger.Request { return &ledger.Request{Events: []ledger.Event{e}} }

func answer(e ledger.Event, status string) ledger.EventAnswer {
	return ledger.EventAnswer{ID: e.ID, BatchID: batch, Status: status}
}

func bulk(accepted, duplicates int) ledger.BulkAnswer {
	return ledger.BulkAnswer{BatchID: batch, Accepted: accepted, Duplicates: duplicates}
}

func TestAnswersThatCanBeTrue(t *testing.T) {
	t.Parallel()
	for name, story := range map[string]func(*ledger.Ledger){
		"new": func(l *ledger.Ledger) { l.Begin(single(a)).Event(answer(a, "accepted")) },
		"sent again": func(l *ledger.Ledger) {
			l.Begin(single(a)).Event(answer(a, "accepted"))
			l.Begin(single(a)).Event(answer(a, "duplicate"))
		},
		"the answer was lost": func(l *ledger.Ledger) {
			l.Begin(single(a)).Lost()
			l.Begin(single(a)).Event(answer(a, "duplicate"))
		},
		"the request was lost": func(l *ledger.Ledger) {
			l.Begin(single(a)).Lost()
			l.Begin(single(a)).Event(answer(a, "accepted"))
		},
		"two at once, the second wins": func(l *ledger.Ledger) {
			first, second := l.Begin(single(a)), l.Begin(single(a))
			first.Event(answer(a, "duplicate"))
			second.Event(answer(a, "accepted"))
		},
		"bulk, one known, one in doubt, one twice": func(l *ledger.Ledger) {
			l.Begin(single(a)).Event(answer(a, "accepted"))
			l.Begin(single(b)).Lost()
			r := &ledger.Request{Events: []ledger.Event{a, b, event(3), event(3)}, Bad: map[int]string{}}
			l.Begin(r).Bulk(bulk(2, 2))
		},
		"purchase, replayed": func(l *ledger.Ledger) {
			l.Begin(order()).Purchase(bought(1), false)
			l.Begin(order()).Purchase(bought(1), true)
		},
		"refused": func(l *ledger.Ledger) {
			l.Begin(&ledger.Request{Bad: map[int]string{0: "unknown_product"}}).Refused("unknown_product")
		},
	} {
		if found := problems(story).Problems; len(found) > 0 {
			t.Errorf("%s: %v", name, found)
		}
	}
}

func order() *ledger.Request {
	return &ledger.Request{Purchase: &ledger.Purchase{UserID: "ada", Quantity: 2, AmountMinor: 200, Currency: "EUR", Key: "order-1"}}
}

func bought(id byte) ledger.PurchaseAnswer {
	return ledger.PurchaseAnswer{ID: uuid.UUID{15: id}, BatchID: batch, UserID: "ada", Quantity: 2, AmountMinor: 200, Currency: "EUR"}
}

func TestAnswersThatCannotBeTrue(t *testing.T) {
	t.Parallel()
	for want, story := range map[string]func(*ledger.Ledger){
		"is accepted again": func(l *ledger.Ledger) {
			l.Begin(single(a)).Event(answer(a, "duplicate")) // also impossible
			l.Begin(single(a)).Event(answer(a, "accepted"))
		},
		"was sent for the first time, and is a duplicate": func(l *ledger.Ledger) { l.Begin(single(a)).Event(answer(a, "duplicate")) },
		"was accepted 2 times": func(l *ledger.Ledger) {
			first, second := l.Begin(single(a)), l.Begin(single(a))
			first.Event(answer(a, "accepted"))
			second.Event(answer(a, "accepted"))
		},
		"was answered as":      func(l *ledger.Ledger) { l.Begin(single(a)).Event(answer(b, "accepted")) },
		`has the status "odd"`: func(l *ledger.Ledger) { l.Begin(single(a)).Event(answer(a, "odd")) },
		"1 accepted, of 2 that are new": func(l *ledger.Ledger) {
			l.Begin(&ledger.Request{Events: []ledger.Event{a, b}}).Bulk(bulk(1, 1))
		},
		"2 accepted, of 1 that are new": func(l *ledger.Ledger) {
			l.Begin(single(a)).Event(answer(a, "accepted"))
			l.Begin(&ledger.Request{Events: []ledger.Event{a, b}}).Bulk(bulk(2, 0))
		},
		"are not the 1 good events": func(l *ledger.Ledger) { l.Begin(single(a)).Bulk(bulk(1, 1)) },
		"must be map[0:unknown_product]": func(l *ledger.Ledger) {
			l.Begin(&ledger.Request{Bad: map[int]string{0: "unknown_product"}}).Bulk(bulk(0, 0))
		},
		`must be "unknown_product"`: func(l *ledger.Ledger) {
			l.Begin(&ledger.Request{Bad: map[int]string{0: "unknown_product"}}).Refused("invalid_value")
		},
		"is a replay": func(l *ledger.Ledger) { l.Begin(order()).Purchase(bought(1), true) },
		"is stored again": func(l *ledger.Ledger) {
			l.Begin(order()).Purchase(bought(1), false)
			l.Begin(order()).Purchase(bought(1), false)
		},
		"and now as": func(l *ledger.Ledger) {
			l.Begin(order()).Purchase(bought(1), false)
			l.Begin(order()).Purchase(bought(2), true)
		},
		"was sent as": func(l *ledger.Ledger) {
			wrong := bought(1)
			wrong.Quantity = 3
			l.Begin(order()).Purchase(wrong, false)
		},
		"event 00000000-0000-0000-0000-000000000001 was sent 1 times and never acknowledged": func(l *ledger.Ledger) { l.Begin(single(a)).Lost() },
		"purchase order-1 was sent 1 times and never acknowledged":                           func(l *ledger.Ledger) { l.Begin(order()).Lost() },
		"odd": func(l *ledger.Ledger) { l.Problem("odd") },
	} {
		if found := problems(story).Problems; !strings.Contains(strings.Join(found, "\n"), want) {
			t.Errorf("%s: found %q", want, found)
		}
	}
}

// TestAccount checks that the account holds exactly what was acknowledged, in the batches that the answers named.
func TestAccount(t *testing.T) {
	t.Parallel()
	account := problems(func(l *ledger.Ledger) {
		l.Begin(single(a)).Event(answer(a, "accepted"))
		l.Begin(single(b)).Lost()
		l.Begin(single(b)).Event(answer(b, "duplicate"))
		l.Begin(single(event(3))).Lost()
		l.Begin(order()).Purchase(bought(9), false)
	})
	if len(account.Events) != 2 || account.Events[a.ID] != a || account.Events[b.ID] != b {
		t.Errorf("events: %v", account.Events)
	}
	if p := account.Purchases[bought(9).ID]; len(account.Purchases) != 1 || p.ID != bought(9).ID || p.Key != "order-1" {
		t.Errorf("purchases: %v", account.Purchases)
	}
	// The client of a duplicate cannot know its batch.
	if len(account.Stored) != 2 || account.Stored[a.ID] != batch || account.Stored[bought(9).ID] != batch {
		t.Errorf("stored: %v", account.Stored)
	}
	if len(account.Batches) != 1 || account.Batches[0] != batch {
		t.Errorf("batches: %v", account.Batches)
	}
}
