package event

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

var (
	now   = time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)
	rules = Rules{Retention: 90 * 24 * time.Hour}
)

const alice = "0195a3ef-5d10-7a6b-8f3c-0e9d1b2a4c57"

// idAt returns a UUIDv7 of time t.
func idAt(t time.Time) uuid.UUID {
	id := NewID()
	ms := t.UnixMilli()
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	return id
}

// goodDraft returns a draft that is accepted from an API key.
func goodDraft() Draft {
	return Draft{
		FactDraft: FactDraft{
			Sent: FieldType | FieldSKU | FieldUserID, Good: FieldType | FieldSKU | FieldUserID,
			Product: Ref{SKU: "SHOE"}, UserID: "customer-17",
		},
		Type: "view",
	}
}

func (d *FactDraft) set(f Fields) { d.Sent, d.Good = d.Sent|f, d.Good|f }

func (d *FactDraft) unset(f Fields) { d.Sent, d.Good = d.Sent&^f, d.Good&^f }

func codes(problems []errs.Field) []string {
	var list []string
	for _, p := range problems {
		list = append(list, p.Pointer+" "+p.Code)
	}
	return list
}

func TestEventRules(t *testing.T) {
	t.Parallel()
	anyID := uuid.MustParse("6f1b9a52-3c1d-4e8a-9b77-0d2f4a6c8e10") // version 4
	for name, tc := range map[string]struct {
		change  func(*Draft)
		subject string
		want    []string
	}{
		"good":                       {},
		"good by user":               {subject: alice, change: func(d *Draft) { d.UserID = alice }},
		"good by user, implied":      {subject: alice, change: func(d *Draft) { d.unset(FieldUserID) }},
		"no type":                    {change: func(d *Draft) { d.unset(FieldType) }, want: []string{"/type required"}},
		"empty type":                 {change: func(d *Draft) { d.Type = "" }, want: []string{"/type invalid_value"}},
		"capital type":               {change: func(d *Draft) { d.Type = "View" }, want: []string{"/type invalid_value"}},
		"longest type":               {change: func(d *Draft) { d.Type = strings.Repeat("a", 64) }},
		"long type":                  {change: func(d *Draft) { d.Type = strings.Repeat("a", 65) }, want: []string{"/type invalid_value"}},
		"custom type":                {change: func(d *Draft) { d.Type = "a-z_0.9:x" }},
		"no product":                 {change: func(d *Draft) { d.unset(FieldSKU) }, want: []string{"/product_id product_required"}},
		"two products":               {change: func(d *Draft) { d.set(FieldProductID) }, want: []string{"/sku product_ambiguous"}},
		"bad sku":                    {change: func(d *Draft) { d.Product.SKU = "-x" }, want: []string{"/sku invalid_value"}},
		"long sku":                   {change: func(d *Draft) { d.Product.SKU = strings.Repeat("x", 65) }, want: []string{"/sku invalid_value"}},
		"no user with a key":         {change: func(d *Draft) { d.unset(FieldUserID) }, want: []string{"/user_id user_id_required"}},
		"another user":               {subject: alice, want: []string{"/user_id user_id_mismatch"}},
		"empty user":                 {change: func(d *Draft) { d.UserID = "" }, want: []string{"/user_id invalid_value"}},
		"user that paths call me":    {change: func(d *Draft) { d.UserID = "me" }, want: []string{"/user_id invalid_value"}},
		"user that is a dot segment": {change: func(d *Draft) { d.UserID = ".." }, want: []string{"/user_id invalid_value"}},
		"user with space at end":     {change: func(d *Draft) { d.UserID = "x " }, want: []string{"/user_id invalid_value"}},
		"user with space inside":     {change: func(d *Draft) { d.UserID = "a b" }},
		"user not printable":         {change: func(d *Draft) { d.UserID = "a\x00b" }, want: []string{"/user_id invalid_value"}},
		"longest user":               {change: func(d *Draft) { d.UserID = strings.Repeat("u", 128) }},
		"long user":                  {change: func(d *Draft) { d.UserID = strings.Repeat("u", 129) }, want: []string{"/user_id invalid_value"}},
		"id of any version with ts":  {change: func(d *Draft) { d.set(FieldID | FieldTS); d.ID, d.TS = anyID, now }},
		"id without time":            {change: func(d *Draft) { d.set(FieldID); d.ID = anyID }, want: []string{"/id id_without_time"}},
		"ts an hour ahead":           {change: func(d *Draft) { d.set(FieldTS); d.TS = now.Add(time.Hour) }},
		"ts further ahead":           {change: func(d *Draft) { d.set(FieldTS); d.TS = now.Add(time.Hour + time.Microsecond) }, want: []string{"/ts ts_in_future"}},
		"id from the future":         {change: func(d *Draft) { d.set(FieldID); d.ID = idAt(now.Add(2 * time.Hour)) }, want: []string{"/id ts_in_future"}},
		"ts as old as can be":        {change: func(d *Draft) { d.set(FieldTS); d.TS = now.Add(-90 * 24 * time.Hour) }},
		"ts older":                   {change: func(d *Draft) { d.set(FieldTS); d.TS = now.Add(-90*24*time.Hour - time.Microsecond) }, want: []string{"/ts ts_too_old"}},
		"old id":                     {change: func(d *Draft) { d.set(FieldID); d.ID = idAt(now.AddDate(-1, 0, 0)) }, want: []string{"/id ts_too_old"}},
		"not an item at all": {
			change: func(d *Draft) { d.RefuseWhole(CodeWrongType, "An item must be a JSON object.") },
			want:   []string{" wrong_type"},
		},
		"many problems": {
			change: func(d *Draft) { d.unset(FieldType | FieldSKU | FieldUserID) },
			want:   []string{"/type required", "/product_id product_required", "/user_id user_id_required"},
		},
		"a field that could not be read has no other problem": {
			change: func(d *Draft) {
				d.Sent |= FieldID | FieldTS | FieldProductID
				d.Good &^= FieldType | FieldUserID | FieldSKU
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			draft := goodDraft()
			if tc.change != nil {
				tc.change(&draft)
			}
			rules.event(&draft, Caller{Subject: tc.subject}, now)
			if diff := cmp.Diff(tc.want, codes(draft.Problems)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// What anybody may send where registration is open.
func TestCustomersSendTheUsualTypes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		customer bool
		want     []string
	}{
		{name: "view", customer: true},
		{name: "click", customer: true},
		{name: "add_to_cart", customer: true},
		{name: "refund", customer: true, want: []string{"/type type_forbidden"}},
		{name: "refund"},
	} {
		draft := goodDraft()
		draft.UserID, draft.Type = alice, tc.name
		rules.event(&draft, Caller{Subject: alice, Customer: tc.customer}, now)
		if diff := cmp.Diff(tc.want, codes(draft.Problems)); diff != "" {
			t.Errorf("%s, customer: %t (-want +got):\n%s", tc.name, tc.customer, diff)
		}
	}
}

func TestPurchaseRules(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*PurchaseDraft)
		want   []string
	}{
		"good":            {},
		"no quantity":     {change: func(d *PurchaseDraft) { d.unset(FieldQuantity) }, want: []string{"/quantity required"}},
		"zero":            {change: func(d *PurchaseDraft) { d.Quantity = 0 }, want: []string{"/quantity invalid_value"}},
		"most":            {change: func(d *PurchaseDraft) { d.Quantity = 1_000_000 }},
		"too many":        {change: func(d *PurchaseDraft) { d.Quantity = 1_000_001 }, want: []string{"/quantity invalid_value"}},
		"free":            {change: func(d *PurchaseDraft) { d.set(FieldAmount); d.AmountMinor = 0 }},
		"negative amount": {change: func(d *PurchaseDraft) { d.set(FieldAmount); d.AmountMinor = -1 }, want: []string{"/amount_minor invalid_value"}},
		"largest amount":  {change: func(d *PurchaseDraft) { d.set(FieldAmount); d.AmountMinor = 1e12 }},
		"huge amount":     {change: func(d *PurchaseDraft) { d.set(FieldAmount); d.AmountMinor = 1e12 + 1 }, want: []string{"/amount_minor invalid_value"}},
		"bad currency":    {change: func(d *PurchaseDraft) { d.set(FieldCurrency); d.Currency = "eur" }, want: []string{"/currency invalid_value"}},
		"common rules":    {change: func(d *PurchaseDraft) { d.unset(FieldSKU) }, want: []string{"/product_id product_required"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			draft := PurchaseDraft{FactDraft: goodDraft().FactDraft, Quantity: 1}
			draft.unset(FieldType)
			draft.set(FieldQuantity)
			if tc.change != nil {
				tc.change(&draft)
			}
			rules.purchase(&draft, Caller{}, now)
			if diff := cmp.Diff(tc.want, codes(draft.Problems)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestProblemsOfOneItemAreBounded(t *testing.T) {
	t.Parallel()
	var d FactDraft
	for range 1000 {
		d.Refuse("/x", CodeUnknownField, "There is no such field.")
	}
	if len(d.Problems) != MaxProblems {
		t.Errorf("%d problems are kept, want %d", len(d.Problems), MaxProblems)
	}
}
