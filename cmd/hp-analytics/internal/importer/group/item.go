package group

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer/mapping"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer/source"
	"github.com/hp-analytics/hp-analytics/internal/localtime"
)

// MaxLines is how many lines an order and a refund have at most.
const MaxLines = 2000

// Single returns the item of one row.
func Single(row *source.Row, f mapping.Fact, id string, derived bool) Item {
	i := Item{Kind: f.Kind, ID: id, Derived: derived, Facts: []mapping.Fact{f}, Rows: []*source.Row{row}}
	i.nameAnonymous(id)
	return i
}

// items returns what the rows with one number are: usually one item. Lines of another local day than the first are an item of their
// own, so that each day counts what happened on it; the id of that has the day behind the number.
func (m *members) items() []Item {
	if len(m.bad) > 0 {
		reason := fmt.Sprintf("incomplete: another row with the number %s was refused", m.key.number)
		return []Item{{Kind: m.kind, ID: m.key.number, Rows: append(m.bad, m.rows...), Reason: reason}}
	}
	type part struct {
		kind mapping.Kind
		day  localtime.Day
	}
	parts, first := map[part]*Item{}, map[mapping.Kind]localtime.Day{}
	for i, f := range m.facts {
		if day, ok := first[f.Kind]; !ok || f.Day < day {
			first[f.Kind] = f.Day
		}
		item, ok := parts[part{f.Kind, f.Day}]
		if !ok {
			item = &Item{Kind: f.Kind, ID: m.key.number}
			parts[part{f.Kind, f.Day}] = item
		}
		item.Facts, item.Rows = append(item.Facts, f), append(item.Rows, m.rows[i])
	}
	reason := m.problem()
	items := make([]Item, 0, len(parts))
	for p, item := range parts {
		if p.day != first[p.kind] {
			item.ID += "@" + p.day.String()
		}
		item.Reason = reason
		item.check()
		item.nameAnonymous(m.key.number)
		slices.SortStableFunc(item.Facts, compare)
		items = append(items, *item)
	}
	slices.SortFunc(items, func(a, b Item) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID)) })
	return items
}

// problem returns why the rows with one number are not one order, if they are not.
func (m *members) problem() string {
	if m.reason != "" {
		return m.reason
	}
	first := m.facts[0]
	for _, f := range m.facts[1:] {
		switch {
		case f.UserID != first.UserID, f.AnonymousID != first.AnonymousID:
			return fmt.Sprintf("different_users: the rows with the number %s name different users", m.key.number)
		case f.Currency != first.Currency:
			return fmt.Sprintf("different_currencies: the rows with the number %s have different currencies", m.key.number)
		}
	}
	return ""
}

func (i *Item) check() {
	if len(i.Facts) > MaxLines && i.Reason == "" {
		i.Reason = fmt.Sprintf("too_many_lines: %d rows have the number %s, and an order or refund has at most %d lines", len(i.Facts), i.ID, MaxLines)
	}
}

// nameAnonymous gives an item without a user an anonymous one of its own.
func (i *Item) nameAnonymous(number string) {
	for n := range i.Facts {
		if i.Facts[n].NoUser {
			i.Facts[n].AnonymousID = "order " + number
		}
	}
}

// compare sorts lines by what they say.
func compare(a, b mapping.Fact) int {
	return cmp.Or(cmp.Compare(a.SKU, b.SKU), cmp.Compare(a.Units, b.Units), cmp.Compare(minor(a), minor(b)), a.TS.Compare(b.TS),
		cmp.Compare(canonical(a), canonical(b)))
}

func minor(f mapping.Fact) int64 {
	if f.AmountMinor == nil {
		return -1
	}
	return *f.AmountMinor
}

// canonical returns the properties as a text; they cannot fail to encode, because they were decoded.
func canonical(f mapping.Fact) string {
	text, _ := json.Marshal(f.Properties)
	return string(text)
}

// TS is when the item happened: the earliest time of its rows.
func (i *Item) TS() time.Time {
	earliest := i.Facts[0].TS
	for _, f := range i.Facts {
		if f.TS.Before(earliest) {
			earliest = f.TS
		}
	}
	return earliest
}

// Properties has each property of the rows, of several values that of the first line.
func (i *Item) Properties() map[string]json.RawMessage {
	if len(i.Facts) == 1 {
		return i.Facts[0].Properties
	}
	var all map[string]json.RawMessage
	for _, f := range i.Facts {
		for name, value := range f.Properties {
			if all == nil {
				all = map[string]json.RawMessage{}
			}
			if _, known := all[name]; !known {
				all[name] = value
			}
		}
	}
	return all
}
