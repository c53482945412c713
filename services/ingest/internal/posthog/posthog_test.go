package posthog

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

const id = "0195a3f4-11d2-7c9e-a6f0-8b3e5d7c2a91" // of 2025-03-17

// told is what a draft says, for comparisons.
type told struct {
	Type, User, Anonymous, SKU, Properties string
}

func tell(d *event.Draft) told {
	return told{d.Type, d.UserID, d.AnonymousID, d.SKU, string(d.Properties)}
}

// Each kind of message becomes the event that it means.
func TestMessages(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		message string
		want    told
	}{
		"an event of a server": {
			`{"event":"Signed Up","distinct_id":"ada","properties":{"plan":"pro","$lib":"posthog-node","$set":{"a":1}}}`,
			told{Type: "Signed Up", User: "ada", Properties: `{"plan":"pro"}`},
		},
		"an id that is a number": {`{"event":"x","distinct_id":17}`, told{Type: "x", User: "17"}},
		"a visitor, by a flag": {
			`{"event":"x","distinct_id":"v","properties":{"$is_identified":false,"$device_id":"d"}}`, told{Type: "x", Anonymous: "v"},
		},
		"a visitor, by the device": {`{"event":"x","properties":{"distinct_id":"v","$device_id":"v"}}`, told{Type: "x", Anonymous: "v"}},
		"a visitor without a profile": {
			`{"event":"x","distinct_id":"v","properties":{"$process_person_profile":false}}`, told{Type: "x", Anonymous: "v"},
		},
		"a user on a known device": {
			`{"event":"x","distinct_id":"ada","properties":{"$is_identified":true,"$device_id":"ada"}}`, told{Type: "x", User: "ada"},
		},
		"a page": {
			`{"event":"$pageview","distinct_id":"ada","properties":{"$current_url":"https://shop.example/","$referrer":"$direct","$session_id":"s",
				"utm_source":"mail","utm_term":null,"$device_type":"Mobile","$browser":"Firefox","token":"k","distinct_id":"ada"}}`,
			told{
				Type: "page", User: "ada",
				Properties: `{"browser":"Firefox","device":"mobile","session_id":"s","url":"https://shop.example/","utm_source":"mail"}`,
			},
		},
		"a name of the application's own": {
			`{"event":"$screen","distinct_id":"ada","properties":{"$screen_name":"Cart","$current_url":"theirs","url":"own","$referrer":"https://a.example/"}}`,
			told{Type: "screen", User: "ada", Properties: `{"name":"Cart","referrer":"https://a.example/","url":"own"}`},
		},
		"who it is": {
			`{"event":"$identify","distinct_id":"ada","$set":{"plan":"pro"},"properties":{"$anon_distinct_id":"v","$set_once":{"plan":"free","first":1},"$is_identified":true}}`,
			told{Type: "identify", User: "ada", Anonymous: "v", Properties: `{"first":1,"plan":"pro"}`},
		},
		"who it is, again": {`{"event":"$identify","distinct_id":"ada","properties":{"$anon_distinct_id":"ada"}}`, told{Type: "identify", User: "ada"}},
		"what is known of a user": {
			`{"event":"$set","distinct_id":"ada","properties":{"$set":{"plan":"pro"}}}`, told{Type: "identify", User: "ada", Properties: `{"plan":"pro"}`},
		},
		"an alias of a server": {
			`{"event":"$create_alias","distinct_id":"ada","properties":{"distinct_id":"ada","alias":"v"}}`, told{Type: "identify", User: "ada", Anonymous: "v"},
		},
		"an alias of a page": {
			`{"event":"$create_alias","distinct_id":"v","properties":{"distinct_id":"v","alias":"ada","$is_identified":false}}`,
			told{Type: "identify", User: "ada", Anonymous: "v"},
		},
		"a group": {
			`{"event":"$groupidentify","distinct_id":"$company_acme","properties":{"$group_type":"company","$group_key":"acme","$group_set":{"seats":3}}}`,
			told{Type: "group", Anonymous: "$company_acme", Properties: `{"group_id":"acme","group_type":"company","seats":3}`},
		},
		"a product": {
			`{"event":"add_to_cart","distinct_id":"ada","properties":{"sku":"TEA 1/2"}}`,
			told{Type: "add_to_cart", User: "ada", SKU: "TEA 1/2", Properties: `{"sku":"TEA 1/2"}`},
		},
		"another event with a SKU": {`{"event":"Liked","distinct_id":"ada","properties":{"sku":"T"}}`, told{Type: "Liked", User: "ada", Properties: `{"sku":"T"}`}},
		"nobody":                   {`{"event":"x"}`, told{Type: "x"}},
		"a number that is exact":   {`{"event":"x","distinct_id":"a","properties":{"n":12345678901234567890.10}}`, told{Type: "x", User: "a", Properties: `{"n":12345678901234567890.10}`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			request, err := Parse([]byte(c.message))
			if err != nil {
				t.Fatal(err)
			}
			drafts := request.Events()
			if len(drafts) != 1 || drafts[0].Refused() {
				t.Fatalf("got %+v", drafts)
			}
			if diff := cmp.Diff(c.want, tell(&drafts[0])); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The id is that of the library. The time is that of the message, or else none: the time since an event is another in each retry.
func TestTimes(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 14, 9, 26, 53, 123_000_000, time.UTC)
	for name, c := range map[string]struct {
		message string
		fields  event.Fields
		ts      time.Time
	}{
		"a server":                {`"uuid":"` + id + `","timestamp":"2026-03-14T09:26:53.123Z"`, event.FieldID | event.FieldTS, at},
		"another zone":            {`"uuid":"` + id + `","timestamp":"2026-03-14T10:26:53.123+01:00"`, event.FieldID | event.FieldTS, at},
		"an old page":             {`"uuid":"` + id + `","offset":1500`, event.FieldID, time.Time{}},
		"no id":                   {`"timestamp":"2026-03-14T09:26:53.123Z"`, event.FieldID | event.FieldTS, at},
		"neither":                 {`"offset":1500`, 0, time.Time{}},
		"when it was sent itself": {`"uuid":"` + id + `","sent_at":"2026-03-14T09:26:53.123Z"`, event.FieldID | event.FieldSentAt, time.Time{}},
	} {
		request, err := Parse([]byte(`[{"event":"x","distinct_id":"a",` + c.message + `}]`))
		if err != nil {
			t.Fatal(err)
		}
		d := request.Events()[0]
		const times = event.FieldID | event.FieldTS | event.FieldSentAt
		if d.Good&times != c.fields || !d.TS.Equal(c.ts) || d.Has(event.FieldSentAt) && !d.SentAt.Equal(at) {
			t.Errorf("%s: %+v", name, d.FactDraft)
		}
		if strings.Contains(c.message, id) && d.ID.String() != id {
			t.Errorf("%s: the id is %s", name, d.ID)
		}
	}
	request, err := Parse([]byte(`{"batch":[{"event":"x","distinct_id":"a"}],"sent_at":"2026-03-14T09:26:53.123Z"}`))
	if err != nil {
		t.Fatal(err)
	}
	if d := request.Events()[0]; !d.SentAt.Equal(at) {
		t.Errorf("the batch was sent at %s", d.SentAt)
	}
}

// read returns the key and the messages of a body.
func read(body string) (string, Request, error) {
	document, err := Unwrap([]byte(body))
	if err != nil {
		return "", Request{}, err
	}
	request, err := Parse(document)
	return Key(document), request, err
}

// The same message is read from every body that a library can send it in, with its key.
func TestBodies(t *testing.T) {
	t.Parallel()
	const m = `{"event":"Größe","distinct_id":"ada","properties":{"n":1}}`
	withToken := `{"event":"Größe","distinct_id":"ada","properties":{"n":1,"token":"key"}}`
	form := func(text string) string { return "data=" + url.QueryEscape(text) }
	coded := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	for name, body := range map[string]string{
		"a message":                   strings.Replace(m, `{`, `{"api_key":"key",`, 1),
		"a message of a page":         withToken,
		"a list":                      "\ufeff [" + withToken + "]",
		"a batch":                     `{"api_key":"key","batch":[` + m + `]}`,
		"a batch of a page":           `{"token":"key","batch":[` + m + `],"sent_at":"2026-03-14T09:26:53.123Z"}`,
		"a form":                      form("[" + withToken + "]"),
		"a form in base64":            form(coded(withToken)) + "&compression=base64",
		"a form in base64, the field": "compression=base64&" + form(coded(withToken)),
		"an unescaped form":           "data=" + strings.TrimRight(coded(withToken), "="),
	} {
		key, request, err := read(body)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if key != "key" || request.Len() != 1 {
			t.Errorf("%s: the key %q, %d messages", name, key, request.Len())
			continue
		}
		drafts := request.Events()
		if diff := cmp.Diff(told{Type: "Größe", User: "ada", Properties: `{"n":1}`}, tell(&drafts[0])); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// What cannot be read is refused, alone if it is one of several.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	for body, kind := range map[string]errs.Kind{
		"": errs.Malformed, "hello": errs.Malformed, `{"batch":[`: errs.Malformed, "17": errs.Malformed, "data=%zz": errs.Malformed, "data=!!": errs.Malformed,
		"data=" + base64.StdEncoding.EncodeToString([]byte("text")): errs.Malformed, "a=b": errs.Malformed,
		`[` + strings.Repeat(`{},`, event.MaxBatch) + `{}]`: errs.TooLarge,
	} {
		if _, _, err := read(body); !errs.Is(err, kind) {
			t.Errorf("%.40q: %v", body, err)
		}
	}
	bad := []string{
		`17`, `{"event":{}}`, `{"event":"x","properties":[1]}`, `{"event":"x","timestamp":"yesterday"}`,
		`{"event":"x","properties":{"a":"` + strings.Repeat("x", MaxMessage) + `"}}`,
	}
	for _, item := range bad {
		request, err := Parse([]byte(`{"batch":[` + item + `,{"event":"fine","distinct_id":"a"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		if drafts := request.Events(); !drafts[0].Refused() || drafts[1].Refused() {
			t.Errorf("%.40q: %v and %v", item, drafts[0].Problems, drafts[1].Problems)
		}
	}
}

// The key of a large body is found without memory, and to read it retains no more than Memory says: its members would take many times that.
func TestMemory(t *testing.T) {
	var body strings.Builder
	body.WriteString(`{"batch":[`)
	for i := range 15 {
		body.WriteString(`{"event":"x","distinct_id":"a","properties":{`)
		for n := range 5000 {
			fmt.Fprintf(&body, `"%d":1,`, n)
		}
		fmt.Fprintf(&body, `"last":%d}},`, i)
	}
	body.WriteString(`{}],"api_key":"key"}`)
	document := []byte(body.String())
	if n := testing.AllocsPerRun(1, func() { _ = Key(document) }); n > 50 {
		t.Errorf("to find the key takes %v allocations", n)
	}
	held := func() int {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	before := held()
	request, err := Parse(document)
	if err != nil || request.Len() != 16 {
		t.Fatal(request.Len(), err)
	}
	if n := held() - before; n > 64<<10 {
		t.Errorf("a parsed body of %d bytes takes %d more", len(document), n)
	}
	drafts := request.Events()
	if n := held() - before; n > 2*len(document) {
		t.Errorf("the events of a body of %d bytes take %d", len(document), n)
	}
	runtime.KeepAlive(drafts)
	runtime.KeepAlive(document)
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"api_key":"key","batch":[{"event":"$identify","distinct_id":"a","properties":{"$anon_distinct_id":"b","$set":{"c":1}}}]}`))
	f.Add([]byte(`data=` + base64.StdEncoding.EncodeToString([]byte(`[{"event":"$pageview","properties":{"$device_id":"d"}}]`))))
	f.Fuzz(func(t *testing.T, body []byte) {
		_, request, err := read(string(body))
		if err != nil {
			return
		}
		for _, d := range request.Events() {
			if d.Good&^d.Sent != 0 {
				t.Errorf("fields that were not sent are good: %s", fmt.Sprint(d))
			}
		}
	})
}
