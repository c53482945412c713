package event

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

var (
	now   = time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)
	rules = Rules{MaxEventAge: 90 * 24 * time.Hour}
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
			SKU: "SHOE", UserID: "customer-17",
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
		"type of the field":          {change: func(d *Draft) { d.Type = "Signed Up" }},
		"type in another script":     {change: func(d *Draft) { d.Type = "商品を見た" }},
		"type with a dollar":         {change: func(d *Draft) { d.Type = "$pageview" }},
		"type with a line break":     {change: func(d *Draft) { d.Type = "a\nb" }, want: []string{"/type invalid_value"}},
		"longest type":               {change: func(d *Draft) { d.Type = strings.Repeat("ü", 200) }},
		"long type":                  {change: func(d *Draft) { d.Type = strings.Repeat("a", 201) }, want: []string{"/type invalid_value"}},
		"no product":                 {change: func(d *Draft) { d.unset(FieldSKU) }},
		"two products":               {change: func(d *Draft) { d.set(FieldProductID) }, want: []string{"/sku product_ambiguous"}},
		"bad sku":                    {change: func(d *Draft) { d.SKU = "a\tb" }, want: []string{"/sku invalid_value"}},
		"sku with spaces":            {change: func(d *Draft) { d.SKU = "BANK CHARGES" }},
		"sku in another script":      {change: func(d *Draft) { d.SKU = "größe-42" }},
		"long sku":                   {change: func(d *Draft) { d.SKU = strings.Repeat("x", 201) }, want: []string{"/sku invalid_value"}},
		"no user with a key":         {change: func(d *Draft) { d.unset(FieldUserID) }, want: []string{"/user_id user_id_required"}},
		"another user":               {subject: alice, want: []string{"/user_id user_id_mismatch"}},
		"empty user":                 {change: func(d *Draft) { d.UserID = "" }, want: []string{"/user_id invalid_value"}},
		"user that paths call me":    {change: func(d *Draft) { d.UserID = "me" }, want: []string{"/user_id invalid_value"}},
		"user that is a dot segment": {change: func(d *Draft) { d.UserID = ".." }, want: []string{"/user_id invalid_value"}},
		"user with space at end":     {change: func(d *Draft) { d.UserID = "x " }},
		"user in another script":     {change: func(d *Draft) { d.UserID = "张伟" }},
		"user with an emoji":         {change: func(d *Draft) { d.UserID = "ü-😀" }},
		"anonymous user":             {change: func(d *Draft) { d.unset(FieldUserID); d.set(FieldAnonymousID); d.AnonymousID = "visitor 4" }},
		"both":                       {change: func(d *Draft) { d.set(FieldAnonymousID); d.AnonymousID = "visitor 4" }},
		"bad anonymous user":         {change: func(d *Draft) { d.set(FieldAnonymousID); d.AnonymousID = " " }, want: []string{"/anonymous_id invalid_value"}},
		"user with space inside":     {change: func(d *Draft) { d.UserID = "a b" }},
		"user not printable":         {change: func(d *Draft) { d.UserID = "a\x00b" }, want: []string{"/user_id invalid_value"}},
		"longest user":               {change: func(d *Draft) { d.UserID = strings.Repeat("ü", 100) }},
		"long user":                  {change: func(d *Draft) { d.UserID = strings.Repeat("ü", 101) }, want: []string{"/user_id invalid_value"}},
		"id of any version with ts":  {change: func(d *Draft) { d.set(FieldID | FieldTS); d.ID, d.TS = anyID, now }},
		"ts an hour ahead":           {change: func(d *Draft) { d.set(FieldTS); d.TS = now.Add(time.Hour) }},
		"ts further ahead":           {change: func(d *Draft) { d.set(FieldTS); d.TS = now.Add(time.Hour + time.Microsecond) }},
		"id from the future":         {change: func(d *Draft) { d.set(FieldID); d.ID = idAt(now.Add(2 * time.Hour)) }},
		"a ULID with ts": {change: func(d *Draft) {
			d.set(FieldID | FieldTS)
			d.ID, d.IDText, d.TS = uuid.Nil, "01ARZ3NDEKTSV4RRFFQ69G5FAV", now
		}},
		"an old ULID, no ts":  {change: func(d *Draft) { d.set(FieldID); d.IDText = "01ARZ3NDEKTSV4RRFFQ69G5FAV" }, want: []string{"/id ts_too_old"}},
		"nil id":              {change: func(d *Draft) { d.set(FieldID | FieldTS); d.IDText, d.TS = uuid.Nil.String(), now }, want: []string{"/id invalid_value"}},
		"long id":             {change: func(d *Draft) { d.set(FieldID | FieldTS); d.IDText, d.TS = strings.Repeat("x", 201), now }, want: []string{"/id invalid_value"}},
		"ts as old as can be": {change: func(d *Draft) { d.set(FieldTS); d.TS = now.Add(-90 * 24 * time.Hour) }},
		"ts older":            {change: func(d *Draft) { d.set(FieldTS); d.TS = now.Add(-90*24*time.Hour - time.Microsecond) }, want: []string{"/ts ts_too_old"}},
		"old id":              {change: func(d *Draft) { d.set(FieldID); d.ID = idAt(now.AddDate(-1, 0, 0)) }, want: []string{"/id ts_too_old"}},
		"not an item at all": {
			change: func(d *Draft) { d.RefuseWhole(CodeWrongType, "An item must be a JSON object.") },
			want:   []string{" wrong_type"},
		},
		"many problems": {
			change: func(d *Draft) { d.unset(FieldType | FieldSKU | FieldUserID) },
			want:   []string{"/type required", "/user_id user_id_required"},
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

// TestGuestsSendTheUsualNames is about what anybody may send where registration is open.
func TestGuestsSendTheUsualNames(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		rights Rights
		want   []string
	}{
		{name: "view", rights: Guest},
		{name: "click", rights: Guest},
		{name: "add_to_cart", rights: Guest},
		{name: "refund", rights: Guest, want: []string{"/type type_forbidden"}},
		{name: "refund", rights: Member},
		{name: "refund", rights: Trusted},
	} {
		draft := goodDraft()
		draft.UserID, draft.Type = alice, tc.name
		rules.event(&draft, Caller{Subject: alice, Rights: tc.rights}, now)
		if diff := cmp.Diff(tc.want, codes(draft.Problems)); diff != "" {
			t.Errorf("%s, rights %d (-want +got):\n%s", tc.name, tc.rights, diff)
		}
	}
	visitor := goodDraft()
	visitor.UserID, visitor.AnonymousID = alice, "visitor 4"
	visitor.set(FieldAnonymousID)
	rules.event(&visitor, Caller{Subject: alice, Rights: Guest}, now)
	if diff := cmp.Diff([]string{"/anonymous_id anonymous_id_forbidden"}, codes(visitor.Problems)); diff != "" {
		t.Errorf("a guest with an anonymous id (-want +got):\n%s", diff)
	}
}

// TestTheAgeOfEvents is that of the project, but no more than the installation allows.
func TestTheAgeOfEvents(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for project, most := range map[time.Duration]time.Duration{0: 90 * day, 7 * day: 7 * day, 200 * day: 90 * day} {
		for age, want := range map[time.Duration][]string{most: nil, most + time.Second: {"/ts ts_too_old"}} {
			draft := goodDraft()
			draft.set(FieldTS)
			draft.TS = now.Add(-age)
			rules.event(&draft, Caller{Project: authn.Project{MaxEventAge: project}}, now)
			if diff := cmp.Diff(want, codes(draft.Problems)); diff != "" {
				t.Errorf("%s old in a project that takes %s (-want +got):\n%s", age, project, diff)
			}
		}
	}
}

// TestIDsOfGuestsAreApart maps the same ids for a project, a guest, another guest and another project.
func TestIDsOfGuestsAreApart(t *testing.T) {
	t.Parallel()
	seen := map[uuid.UUID]string{}
	for name, caller := range map[string]Caller{
		"project": {Project: authn.Project{ID: 1}}, "member": {Project: authn.Project{ID: 1}, Subject: alice},
		"guest": {Project: authn.Project{ID: 1}, Subject: alice, Rights: Guest}, "another guest": {Project: authn.Project{ID: 1}, Subject: "bob", Rights: Guest},
		"another project": {Project: authn.Project{ID: 2}},
	} {
		for _, text := range []string{"", "ajs-1"} {
			d := FactDraft{Good: FieldID, Sent: FieldID, ID: uuid.MustParse("0195a3f4-11d2-7c9e-a6f0-8b3e5d7c2a91")}
			if text != "" {
				d.ID, d.IDText = uuid.Nil, text
			}
			id, ok := eventID(&d, caller)
			if other, again := seen[id]; !ok || again && name != "member" && other != "member" && (text != "" || !slices.Contains([]string{"project", "another project"}, name)) {
				t.Errorf("%q of the %s is that of the %s: %s, %v", text, name, other, id, d.Problems)
			}
			seen[id] = name
		}
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
