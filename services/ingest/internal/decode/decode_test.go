package decode

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

const (
	eventID   = "0195a3f4-11d2-7c9e-a6f0-8b3e5d7c2a91"
	productID = "0195a3f2-7c1e-7b3a-9d54-2f6b1c8e4a10"
)

func TestEvent(t *testing.T) {
	t.Parallel()
	got, err := Event([]byte(` {"id":"` + eventID + `", "type":"vi\u0065w", "product_id":"` + productID + `", "sku":"A/1",
		"user_id":"customer-17", "anonymous_id":"visitor 4", "sent_at":"2026-03-14T09:27:00Z", "ts":"2026-03-14T10:26:53.5+01:00", "properties":{"a":[1,2.5e3,"\ud83d\ude00",null]}} `))
	if err != nil {
		t.Fatal(err)
	}
	all := event.FieldID | event.FieldTS | event.FieldProductID | event.FieldSKU | event.FieldUserID | event.FieldType | event.FieldProperties |
		event.FieldAnonymousID | event.FieldSentAt
	want := event.Draft{
		FactDraft: event.FactDraft{
			Sent: all, Good: all,
			ID: uuid.MustParse(eventID), TS: time.Date(2026, 3, 14, 9, 26, 53, 5e8, time.UTC),
			ProductID: uuid.MustParse(productID), SKU: "A/1", UserID: "customer-17", AnonymousID: "visitor 4",
			SentAt: time.Date(2026, 3, 14, 9, 27, 0, 0, time.UTC),
		},
		Type: "view", Properties: []byte(`{"a":[1,2.5e3,"\ud83d\ude00",null]}`),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
}

// problems lists what is wrong as "pointer code".
func problems(list []errs.Field) []string {
	var found []string
	for _, p := range list {
		found = append(found, p.Pointer+" "+p.Code)
	}
	return found
}

func TestEventProblems(t *testing.T) {
	t.Parallel()
	nested := func(depth int) string {
		return `{"properties":` + strings.Repeat(`{"a":`, depth-1) + `{}` + strings.Repeat(`}`, depth)
	}
	for name, tc := range map[string]struct {
		body string
		want []string
	}{
		"nothing":                {body: `{}`},
		"not an object":          {body: `[{"type":"view"}]`, want: []string{" wrong_type"}},
		"a string":               {body: `"view"`, want: []string{" wrong_type"}},
		"null":                   {body: `null`, want: []string{" wrong_type"}},
		"unknown field":          {body: `{"typ":"view"}`, want: []string{"/typ unknown_field"}},
		"unknown, to be escaped": {body: `{"a/b~c":{"x":[]}}`, want: []string{"/a~1b~0c unknown_field"}},
		"unknown, no text":       {body: "{\"\xff\":1}", want: []string{"/? unknown_field"}},
		"names are exact":        {body: `{"Type":"view"}`, want: []string{"/Type unknown_field"}},
		"escaped name":           {body: `{"\u0074ype":1}`, want: []string{"/type wrong_type"}},
		"purchase fields":        {body: `{"quantity":1}`, want: []string{"/quantity unknown_field"}},
		"wrong types":            {body: `{"type":1,"user_id":7,"sku":[],"ts":{},"id":true}`, want: []string{"/type wrong_type", "/user_id wrong_type", "/sku wrong_type", "/ts wrong_type", "/id wrong_type"}},
		"twice":                  {body: `{"type":"a","type":"a"}`, want: []string{"/type duplicate_field"}},
		"twice, second wrong":    {body: `{"type":"a","type":1}`, want: []string{"/type duplicate_field"}},
		"properties twice":       {body: `{"properties":{},"properties":{}}`, want: []string{"/properties duplicate_field"}},
		"any id":                 {body: `{"id":"ajs-next-1732600000000-6f1c"}`},
		"bad sent_at":            {body: `{"sent_at":"noon"}`, want: []string{"/sent_at invalid_value"}},
		"product id not a uuid":  {body: `{"product_id":"17"}`, want: []string{"/product_id invalid_value"}},
		"product id in braces":   {body: `{"product_id":"{` + eventID + `}"}`, want: []string{"/product_id invalid_value"}},
		"nil product id":         {body: `{"product_id":"00000000-0000-0000-0000-000000000000"}`, want: []string{"/product_id invalid_value"}},
		"ts without zone":        {body: `{"ts":"2026-03-14T09:26:53"}`, want: []string{"/ts invalid_value"}},
		"ts as a number":         {body: `{"ts":1773480413}`, want: []string{"/ts wrong_type"}},
		"ts on no day":           {body: `{"ts":"2026-02-30T09:26:53Z"}`, want: []string{"/ts invalid_value"}},
		"properties an array":    {body: `{"properties":[]}`, want: []string{"/properties wrong_type"}},
		"huge exponent":          {body: `{"properties":{"a":1e1000}}`, want: []string{"/properties invalid_value"}},
		"large exponent":         {body: `{"properties":{"a":1e-999}}`},
		"endless digits":         {body: `{"properties":{"a":` + strings.Repeat("1", maxNumber+1) + `}}`, want: []string{"/properties invalid_value"}},
		"many digits":            {body: `{"properties":{"a":` + strings.Repeat("1", maxNumber) + `}}`},
		"deep":                   {body: nested(maxPropertyDepth)},
		"too deep":               {body: nested(maxPropertyDepth + 1), want: []string{"/properties invalid_value"}},
		"what is odd elsewhere":  {body: `{"sku":"\u0000","properties":{"a":1}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := Event([]byte(tc.body))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, problems(d.Problems)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// null means absent, a byte order mark and the case of the letters in a time mean nothing.
func TestOtherWaysToSayTheSame(t *testing.T) {
	t.Parallel()
	want := readDraft(t, `{"type":"view","ts":"2026-03-14T09:26:53Z"}`)
	for _, body := range []string{
		`{"type":"view","ts":"2026-03-14t09:26:53z"}`,
		`{"type":"view","ts":"2026-03-14t10:26:53+01:00"}`,
		"\ufeff" + `{"type":"view","ts":"2026-03-14T09:26:53Z"}`,
		`{"ts":null,"type":"view","id":null,"product_id":null,"sku":null,"user_id":null,"anonymous_id":null,"sent_at":null,"properties":null,"ts":"2026-03-14T09:26:53Z"}`,
	} {
		got := readDraft(t, body)
		if got.TS = got.TS.UTC(); !cmp.Equal(got, want) {
			t.Errorf("%s (-want +got):\n%s", body, cmp.Diff(want, got))
		}
	}
	for _, body := range []string{"\ufeff" + `{"events":[{"type":"view"}]}`, `{"events":[{"type":"view","properties":null}]}`} {
		if drafts, err := Bulk([]byte(body)); err != nil || len(drafts) != 1 || drafts[0].Type != "view" || drafts[0].Refused() {
			t.Errorf("%s: %+v, %v", body, drafts, err)
		}
	}
	for _, ts := range []string{"2026-03-14T09:26:53+24:00", "2026-03-14T09:26:53+01:60", "2026-03-14 09:26:53Z", "2026-03-14T09:26:53", "nullT"} {
		if d := readDraft(t, `{"ts":"`+ts+`"}`); len(d.Problems) != 1 || d.Problems[0].Code != event.CodeInvalidValue {
			t.Errorf("%s: %+v", ts, d.Problems)
		}
	}
}

// readDraft reads an event.
func readDraft(t *testing.T, body string) event.Draft {
	t.Helper()
	d, err := Event([]byte(body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return d
}

// What Postgres does not store in jsonb costs characters, and not the event.
func TestPropertiesThatCannotBeStoredAreReplaced(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"a":"\u0000"}`:                "{\"a\":\"\ufffd\"}",
		`{"a":"Hoodie \ud83d"}`:         "{\"a\":\"Hoodie \ufffd\"}",
		`{"a":"\ud83dx\\u0000\n"}`:      "{\"a\":\"\ufffdx\\\\u0000\\n\"}",
		`{"a":"\ud83d\ud83d\ude00"}`:    "{\"a\":\"\ufffd\\ud83d\\ude00\"}",
		`{"\ude00":1}`:                  "{\"\ufffd\":1}",
		"{\"a\":\"\xff\xfeb\"}":         "{\"a\":\"\ufffdb\"}",
		`{"a":"\ud83d\ude00","b":"\\"}`: `{"a":"\ud83d\ude00","b":"\\"}`,
	} {
		d := readDraft(t, `{"type":"view","properties":`+body+`}`)
		if string(d.Properties) != want || d.Refused() || d.Replaced != (want != body) {
			t.Errorf("%s: got %s (replaced: %t, %v), want %s", body, d.Properties, d.Replaced, d.Problems, want)
		}
	}
}

func TestPurchaseProblems(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"quantity":"2"}`:                     "/quantity wrong_type",
		`{"quantity":2.0}`:                     "/quantity wrong_type",
		`{"quantity":2e0}`:                     "/quantity wrong_type",
		`{"amount_minor":9223372036854775808}`: "/amount_minor invalid_value",
		`{"quantity":1,"quantity":1}`:          "/quantity duplicate_field",
		`{"currency":978}`:                     "/currency wrong_type",
		`{"type":"view"}`:                      "/type unknown_field",
	} {
		d, err := Purchase([]byte(body))
		if got := problems(d.Problems); err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("%s: got %v, %v; want %s", body, got, err, want)
		}
	}
}

func TestLongUnknownNamesAreNotRepeated(t *testing.T) {
	t.Parallel()
	d, err := Event([]byte(`{"` + strings.Repeat("ä", 5000) + `":1}`))
	if err != nil {
		t.Fatal(err)
	}
	if p := d.Problems[0]; len(p.Pointer) > 100 || len(p.Detail) > 200 {
		t.Errorf("got %d and %d bytes: %+v", len(p.Pointer), len(p.Detail), p)
	}
}

// refused returns the kind and code of an error.
func refused(err error) string {
	e, ok := errors.AsType[*errs.Error](err)
	if !ok {
		return fmt.Sprint(err)
	}
	return e.Kind.String() + " " + e.Code
}

func TestMalformedDocuments(t *testing.T) {
	t.Parallel()
	for _, body := range []string{``, ` `, `{`, `{"type":"view"`, `{"type":"view"}}`, `{"type":"view"} {}`, `{"type":view}`, `{'type':'view'}`, `type=view`} {
		_, errEvent := Event([]byte(body))
		_, errPurchase := Purchase([]byte(body))
		_, errBulk := Bulk([]byte(body))
		for name, err := range map[string]error{"event": errEvent, "purchase": errPurchase, "bulk": errBulk} {
			if refused(err) != "malformed malformed_json" {
				t.Errorf("%s %q: got %v", name, body, err)
			}
		}
	}
}

func TestBulk(t *testing.T) {
	t.Parallel()
	large := `{"type":"large","properties":{"a":"` + strings.Repeat("x", event.MaxBytes) + `"}}`
	drafts, err := Bulk([]byte(`{"events":[{"type":"a"}, 7, {"typ":"b"},` + large + `,{"type":"c"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range drafts {
		got = append(got, strings.Join(append([]string{d.Type}, problems(d.Problems)...), "|"))
	}
	if diff := cmp.Diff([]string{"a", "| wrong_type", "|/typ unknown_field", "| event_too_large", "c"}, got); diff != "" {
		t.Errorf("types and problems (-want +got):\n%s", diff)
	}
}

func TestLargestEvent(t *testing.T) {
	t.Parallel()
	frame := `{"type":"a","properties":{"a":""}}`
	largest := strings.Replace(frame, `""`, `"`+strings.Repeat("x", event.MaxBytes-len(frame))+`"`, 1)
	drafts, err := Bulk([]byte(`{"events":[ ` + largest + ` ]}`))
	if err != nil || drafts[0].Refused() {
		t.Errorf("an event of %d bytes: %v, %v", len(largest), drafts, err)
	}
}

func TestBulkShape(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`[]`:                                 "invalid validation_failed  wrong_type",
		`[{"type":"view"}]`:                  "invalid validation_failed  wrong_type",
		`{}`:                                 "invalid validation_failed /events required",
		`{"event":[]}`:                       "invalid validation_failed /event unknown_field /events required",
		`{"events":{}}`:                      "invalid validation_failed /events wrong_type",
		`{"events":null}`:                    "invalid validation_failed /events wrong_type",
		`{"events":[{}],"events":[{}]}`:      "invalid validation_failed /events duplicate_field",
		`{"events":[{}],"batch":1}`:          "invalid validation_failed /batch unknown_field",
		`{"events":[]}`:                      "invalid empty_batch /events empty_batch",
		`{"events":[{"type":"view"},]}`:      "malformed malformed_json",
		`{"events":[{"type":"view"}`:         "malformed malformed_json",
		many(event.MaxBatch + 1):             "too_large batch_too_large",
		many(event.MaxBatch+1) + "garbage":   "too_large batch_too_large",
		many(event.MaxBatch) + " unfinished": "malformed malformed_json",
		many(event.MaxBatch):                 "<nil>",
	} {
		_, err := Bulk([]byte(body))
		got := refused(err)
		if e, ok := errors.AsType[*errs.Error](err); ok && len(e.Fields) > 0 {
			got += " " + strings.Join(problems(e.Fields), " ")
		}
		if got != want {
			t.Errorf("%.60s: got %q, want %q", body, got, want)
		}
	}
}

// many returns a bulk document of n events.
func many(n int) string {
	return `{"events":[` + strings.TrimSuffix(strings.Repeat(`{"type":"view"},`, n), ",") + `]}`
}

func FuzzEvent(f *testing.F) {
	f.Add([]byte(`{"id":"` + eventID + `","type":"view","product_id":"` + productID + `","user_id":"u","ts":"2026-03-14T09:26:53Z","properties":{"a":1}}`))
	f.Add([]byte(`{"type":"view","type":1,"x":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := Event(data)
		if err != nil && refused(err) != "malformed malformed_json" {
			t.Fatalf("%q: got %v", data, err)
		}
		if err == nil {
			checkDraft(t, data, d.FactDraft)
		}
	})
}

func FuzzPurchase(f *testing.F) {
	f.Add([]byte(`{"sku":"A","quantity":2,"amount_minor":25800,"currency":"EUR","id":"` + eventID + `"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if d, err := Purchase(data); err == nil {
			checkDraft(t, data, d.FactDraft)
		}
	})
}

func FuzzBulk(f *testing.F) {
	f.Add([]byte(`{"events":[{"type":"view","sku":"A"},{"x":[{}]},7]}`))
	f.Add([]byte(`{"events":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		drafts, err := Bulk(data)
		if err == nil && len(drafts) == 0 {
			t.Fatalf("%q: nothing, without an error", data)
		}
		for _, d := range drafts {
			checkDraft(t, data, d.FactDraft)
		}
	})
}

// checkDraft holds a draft against what the rules rely on.
func checkDraft(t *testing.T, data []byte, d event.FactDraft) {
	t.Helper()
	if d.Good&^d.Sent != 0 {
		t.Fatalf("%q: fields %b are good but were not sent", data, d.Good&^d.Sent)
	}
	if d.Good != d.Sent && !d.Refused() {
		t.Fatalf("%q: fields %b could not be read, and nothing says so", data, d.Sent&^d.Good)
	}
	if d.ID != uuid.Nil && d.IDText != "" {
		t.Fatalf("%q: an id is a UUID and another text", data)
	}
	for _, p := range d.Problems {
		if len(p.Pointer) > 1024 || len(p.Detail) > 1024 {
			t.Fatalf("%q: an endless problem %+v", data, p)
		}
	}
}

// TestIDsAreTexts reads ids that are no UUIDs, in any spelling of JSON.
func TestIDsAreTexts(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]event.FactDraft{
		`{"id":"01ARZ3NDEKTSV4RRFFQ69G5FAV"}`:           {IDText: "01ARZ3NDEKTSV4RRFFQ69G5FAV"},
		`{"id":"\u0061js-1"}`:                           {IDText: "ajs-1"},
		`{"id":"` + strings.ToUpper(eventID) + `"}`:     {ID: uuid.MustParse(eventID)},
		`{"id":"{` + eventID + `}"}`:                    {IDText: "{" + eventID + "}"},
		`{"id":"00000000-0000-0000-0000-000000000000"}`: {IDText: "00000000-0000-0000-0000-000000000000"},
	} {
		if got := readDraft(t, body); got.ID != want.ID || got.IDText != want.IDText || !got.Has(event.FieldID) {
			t.Errorf("%s: %s, %q", body, got.ID, got.IDText)
		}
	}
}

// TestTheEnvelopeSaysWhenItWasSent gives sent_at for the events that have none of their own, wherever it stands.
func TestTheEnvelopeSaysWhenItWasSent(t *testing.T) {
	t.Parallel()
	const events = `"events":[{"type":"view"},{"type":"view","sent_at":"2026-03-14T10:00:00Z"},{"type":"view","sent_at":7},{"type":"view","sent_at":null}]`
	for _, body := range []string{`{"sent_at":"2026-03-14T09:00:00Z",` + events + `}`, `{` + events + `,"sent_at":"2026-03-14T09:00:00Z"}`} {
		drafts, err := Bulk([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		var hours []int
		for _, d := range drafts {
			hours = append(hours, d.SentAt.Hour())
		}
		if diff := cmp.Diff([]int{9, 10, 0, 9}, hours); diff != "" || !drafts[2].Refused() || drafts[2].Has(event.FieldSentAt) {
			t.Errorf("%s: hours of sent_at (-want +got):\n%s", body, diff)
		}
	}
	_, err := Bulk([]byte(`{"sent_at":"noon",` + events + `}`))
	if refusal, ok := errors.AsType[*errs.Error](err); !ok || !slices.Equal(problems(refusal.Fields), []string{"/sent_at invalid_value"}) {
		t.Errorf("a bad sent_at: %v", err)
	}
}
