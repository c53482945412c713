package group_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer/group"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer/mapping"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer/source"
	"github.com/hp-analytics/hp-analytics/internal/localtime"
)

// line is a line of an order.
func line(number, sku string, units int64, at string) mapping.Fact {
	ts, err := time.Parse(time.RFC3339, at)
	if err != nil {
		panic(err)
	}
	amount := 100 * units
	return mapping.Fact{
		Kind: mapping.Orders, Number: number, UserID: "u", TS: ts, Day: localtime.DayOf(ts, time.UTC), SKU: sku, Units: units,
		Currency: "GBP", AmountMinor: &amount,
	}
}

// grouped returns the items of facts in short.
func grouped(window int64, facts []mapping.Fact) (got []string) {
	groups := group.NewGroups(window)
	note := func(items []group.Item) {
		for _, i := range items {
			words := []string{string(i.Kind), i.ID, i.TS().Format(time.RFC3339)}
			for _, f := range i.Facts {
				words = append(words, fmt.Sprintf("%s%s:%dx%s", f.UserID, f.AnonymousID, f.Units, f.SKU))
			}
			text := strings.Join(words, " ")
			if i.Reason != "" {
				text += " " + i.Reason
			}
			got = append(got, text)
		}
	}
	for n, f := range facts {
		note(groups.Add(&source.Row{Number: int64(n), Text: "x"}, f))
	}
	note(groups.Rest())
	return got
}

const noon, midnight, nextDay = "2025-12-31T12:00:00Z", "2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z"

func TestOrdersAreTheSameInAnyOrderOfRows(t *testing.T) {
	t.Parallel()
	back := line("1", "a", 1, noon)
	back.Kind = mapping.Refunds
	facts := []mapping.Fact{
		line("1", "b", 2, midnight), line("1", "a", 1, noon), line("1", "a", 1, noon), line("2", "x", 1, noon), line("1", "a", 3, nextDay), back,
	}
	want := []string{
		"orders 1 2025-12-31T12:00:00Z u:1xa u:1xa u:2xb", "orders 1@2026-01-01 2026-01-01T00:00:00Z u:3xa",
		"orders 2 2025-12-31T12:00:00Z u:1xx", "refunds 1 2025-12-31T12:00:00Z u:1xa",
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		got := grouped(100, facts)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		random.Shuffle(len(facts), func(i, j int) { facts[i], facts[j] = facts[j], facts[i] })
	}
}

func TestAnOrderIsCompleteBehindTheWindow(t *testing.T) {
	t.Parallel()
	facts := []mapping.Fact{line("1", "a", 1, noon), line("2", "x", 1, noon), line("1", "b", 1, noon), line("2", "y", 1, noon), line("3", "x", 1, noon), line("1", "c", 1, noon)}
	want := []string{"orders 1 2025-12-31T12:00:00Z u:1xa u:1xb", "orders 2 2025-12-31T12:00:00Z u:1xx u:1xy", "orders 3 2025-12-31T12:00:00Z u:1xx", "orders 1 2025-12-31T12:00:00Z u:1xc"}
	got := grouped(2, facts)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAnOrderIsRefusedWithABadRow(t *testing.T) {
	t.Parallel()
	groups := group.NewGroups(9)
	groups.Add(&source.Row{Number: 0}, line("1", "a", 1, noon))
	groups.Add(&source.Row{Number: 1, Err: errors.New("quantity is 0")}, mapping.Fact{Number: "1"})
	groups.Add(&source.Row{Number: 2}, line("2", "a", 1, noon))
	groups.Unread()
	groups.Add(&source.Row{Number: 4}, line("3", "a", 1, noon))
	groups.Add(&source.Row{Number: 5}, line("4", "a", 1, noon))
	var got []string
	for _, item := range groups.Rest() {
		got = append(got, fmt.Sprintf("%s: %d facts of %d rows: %s", item.ID, len(item.Facts), len(item.Rows), item.Reason))
	}
	beside := "1 facts of 1 rows: incomplete: a row beside it cannot be read and may belong to it"
	want := []string{"1: 0 facts of 2 rows: incomplete: another row with the number 1 was refused", "2: " + beside, "3: " + beside, "4: 1 facts of 1 rows: "}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRowsThatAreNoOrder(t *testing.T) {
	t.Parallel()
	other, yen, nobody := line("1", "a", 1, noon), line("2", "a", 1, noon), line("3", "a", 1, noon)
	other.UserID, yen.Currency, nobody.UserID, nobody.NoUser = "v", "JPY", "", true
	want := []string{
		"orders 1 2025-12-31T12:00:00Z u:1xa v:1xa different_users: the rows with the number 1 name different users",
		"orders 2 2025-12-31T12:00:00Z u:1xa u:1xa different_currencies: the rows with the number 2 have different currencies",
		"orders 3 2025-12-31T12:00:00Z order 3:1xa",
	}
	if diff := cmp.Diff(want, grouped(9, []mapping.Fact{line("1", "a", 1, noon), other, line("2", "a", 1, noon), yen, nobody})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	long := slices.Repeat([]mapping.Fact{line("4", "a", 1, noon)}, group.MaxLines+1)
	if got := grouped(9, long); len(got) != 1 || got[0][len(got[0])-5:] != "lines" {
		t.Errorf("an order of %d lines: %d items", len(long), len(got))
	}
}

// ids returns the ids of facts without a number.
func ids(t *testing.T, facts []mapping.Fact) []string {
	t.Helper()
	repeats, err := group.NewRepeats()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range facts {
		if err := repeats.Add(&source.Row{}, f); err != nil {
			t.Fatal(err)
		}
	}
	identities, err := group.NewIdentities(repeats)
	if err != nil {
		t.Fatal(err)
	}
	if err := repeats.Close(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range facts {
		id, err := identities.Of(&source.Row{}, f)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, id)
	}
	return got
}

func TestIdsDependOnContentAndRepetitions(t *testing.T) {
	t.Parallel()
	facts := []mapping.Fact{line("", "a", 1, noon), line("", "a", 1, noon), line("", "b", 1, noon), line("", "a", 1, noon), line("", "a", 1, midnight)}
	want := ids(t, facts)
	slices.Sort(want)
	if different := len(slices.Compact(slices.Clone(want))); different != len(facts) {
		t.Fatalf("%d facts have %d ids", len(facts), different)
	}
	slices.Reverse(facts)
	got := ids(t, facts)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("in another order (-want +got):\n%s", diff)
	}
}

func TestAMendedRowKeepsItsId(t *testing.T) {
	t.Parallel()
	identities := &group.Identities{}
	id, err := identities.Of(&source.Row{Origin: "before"}, line("", "a", 1, noon))
	if err != nil || id != "before" {
		t.Errorf("%q, %v", id, err)
	}
}
