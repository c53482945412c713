package cloudevents

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// told is what a draft says, for comparisons.
type told struct {
	Type, User, Anonymous, SKU, Properties string
}

func tell(d *event.Draft) told {
	return told{d.Type, d.UserID, d.AnonymousID, d.SKU, string(d.Properties)}
}

const head = `{"specversion":"1.0","id":"a-1","source":"/shop","time":"2026-03-14T09:26:53.123Z",`

// Attributes and data become the event that they mean.
func TestEvents(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rest string
		want told
	}{
		"no data": {`"type":"order.paid","userid":"ada"`, told{"order.paid", "ada", "", "", `{"source":"/shop"}`}},
		"data and extensions": {
			`"type":"order.paid","userid":17,"region":"eu","level":3,"gone":null,"datacontenttype":"application/json","data":{"plan":"pro","n":12345678901234567890.10}`,
			told{"order.paid", "17", "", "", `{"plan":"pro","n":12345678901234567890.10,"region":"eu","level":3,"source":"/shop"}`},
		},
		"users in the data": {
			`"type":"x","data":{"user_id":"ada","anonymous_id":"v","a":"\u00fc"}`, told{"x", "ada", "v", "", `{"a":"\u00fc","source":"/shop"}`},
		},
		"users in the data, but not the user": {
			`"type":"x","anonymousid":"v","data":{"anonymous_id":"other","user_id":null}`, told{"x", "", "v", "", `{"anonymous_id":"other","source":"/shop"}`},
		},
		"names of the data": {
			`"type":"x","userid":"a","subject":"s","region":"eu","data":{"source":"own","region":1}`,
			told{"x", "a", "", "", `{"source":"own","region":1,"subject":"s"}`},
		},
		"names that need quotes": {`"type":"x","userid":"a","data":{"a\"b":1,"ü":2}`, told{"x", "a", "", "", `{"a\"b":1,"ü":2,"source":"/shop"}`}},
		"the subject is the product": {
			`"type":"view","userid":"a","subject":"TEA"`, told{"view", "a", "", "TEA", `{"source":"/shop"}`},
		},
		"the data has the product": {
			`"type":"click","userid":"a","subject":"button","data":{"sku":"TEA"}`, told{"click", "a", "", "TEA", `{"sku":"TEA","source":"/shop"}`},
		},
		"an attribute has the product": {
			`"type":"liked","userid":"a","sku":"TEA","subject":"s","data":{"sku":"OTHER"}`, told{"liked", "a", "", "TEA", `{"sku":"OTHER","source":"/shop","subject":"s"}`},
		},
		"data in base64": {
			`"type":"x","userid":"a","datacontenttype":"application/vnd.shop+json; charset=utf-8","data_base64":"eyJuIjoxfQ=="`, told{"x", "a", "", "", `{"n":1,"source":"/shop"}`},
		},
	} {
		request, err := Structured([]byte(head + c.rest + "}"))
		if err != nil {
			t.Fatal(name, err)
		}
		drafts := request.Events()
		if len(drafts) != 1 || drafts[0].Refused() {
			t.Fatalf("%s: got %+v", name, drafts)
		}
		if diff := cmp.Diff(c.want, tell(&drafts[0])); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if at := time.Date(2026, 3, 14, 9, 26, 53, 123_000_000, time.UTC); !drafts[0].TS.Equal(at) {
			t.Errorf("%s: the time is %s", name, drafts[0].TS)
		}
	}
}

// The id is that of the source and the id together, in every mode.
func TestIdentity(t *testing.T) {
	t.Parallel()
	id := func(source, id string) string {
		attributes := map[string]string{"specversion": "1.0", "id": id, "source": source, "type": "x", "time": "2026-03-14T09:26:53Z", "userid": "a", "dataschema": "s"}
		request := Binary(attributes, "", nil)
		d := request.Events()[0]
		if d.Refused() || !d.Has(event.FieldID) {
			t.Fatalf("refused: %v", d.Problems)
		}
		return d.ID.String()
	}
	request, err := Batch([]byte(`[` + head + `"type":"x","userid":"a"}]`))
	if err != nil {
		t.Fatal(err)
	}
	same := request.Events()[0].ID.String()
	if got := id("/shop", "a-1"); got != same {
		t.Errorf("the ids in binary mode and in a batch are %s and %s", got, same)
	}
	for _, other := range []string{id("/shop2", "a-1"), id("/shop", "a-2")} {
		if other == same {
			t.Error("two events have the same id")
		}
	}
}

// An event that is wrong is refused with the reason, and keeps no other out.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for item, want := range map[string]string{
		head + `"type":"x","data":"text"}`:                                         "/data wrong_type",
		head + `"type":"x","data":[1]}`:                                            "/data wrong_type",
		head + `"type":"x","data":{"user_id":{}}}`:                                 "/data wrong_type",
		head + `"type":"x","datacontenttype":"text/xml","data_base64":"PGEvPg=="}`: " malformed_json",
		head + `"type":"x","data_base64":"%"}`:                                     " malformed_json",
		head + `"type":"x","data_base64":1}`:                                       " malformed_json",
		head + `"type":"x","data_base64":"eyI="}`:                                  "/data wrong_type",
		head + `"type":{}}`:                                                        " malformed_json",
		`17`:                                                                       " malformed_json",
		head + `"type":"x","data":{"a":"` + strings.Repeat("x", MaxEvent) + `"}}`:                       " malformed_json",
		head + strings.Repeat(`"a":1,`, maxExtensions+1) + `"type":"x"}`:                                " malformed_json",
		`{"specversion":"1.0","id":"a","source":"s","type":"x"}`:                                        "/time required",
		`{"specversion":"1.0","id":"a","source":"s","type":"x","time":"yesterday"}`:                     "/time invalid_value",
		`{"specversion":"1.0","id":"a","type":"x","time":"2026-03-14T09:26:53Z"}`:                       "/source required",
		`{"specversion":"1.0","source":"s","type":"x","time":"2026-03-14T09:26:53Z"}`:                   "/id required",
		`{"specversion":"1.0","id":"a\ufffd","source":"s","type":"x","time":"2026-03-14T09:26:53Z"}`:    "/id invalid_value",
		`{"specversion":"0.3","id":"a","source":"s","type":"x","time":"2026-03-14T09:26:53Z"}`:          "/specversion invalid_value",
		head + `"type":"x","data":` + strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40) + `}`: "/properties invalid_value",
	} {
		request, err := Batch([]byte("[" + item + "," + head + `"type":"x","userid":"a"}]`))
		if err != nil {
			t.Fatal(err)
		}
		drafts := request.Events()
		if !drafts[0].Refused() || drafts[1].Refused() {
			t.Errorf("%.200s: %+v", item, drafts)
			continue
		}
		if p := drafts[0].Problems[0]; p.Pointer+" "+p.Code != want {
			t.Errorf("%.200s: %s %s %s, want %s", item, p.Pointer, p.Code, p.Detail, want)
		}
	}
	for name, parse := range map[string]func([]byte) (Request, error){"structured": Structured, "batch": Batch} {
		if _, err := parse([]byte(`{"a":`)); err == nil {
			t.Errorf("%s: broken JSON is taken", name)
		}
	}
	if _, err := Batch([]byte("[" + strings.Repeat("1,", event.MaxBatch) + "1]")); err == nil {
		t.Error("a batch of too many events is taken")
	}
	for contentType, data := range map[string]string{"text/plain": "hello", "application/json": "{", "": `{"a":"` + strings.Repeat("x", MaxEvent) + `"}`} {
		request := Binary(map[string]string{"specversion": "1.0"}, contentType, []byte(data))
		if d := request.Events()[0]; d.Problems[0].Code != event.CodeMalformed {
			t.Errorf("%s: %v", contentType, d.Problems)
		}
	}
}
