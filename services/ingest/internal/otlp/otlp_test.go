package otlp

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	collector "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// told is what a draft says, for comparisons.
type told struct {
	Type, User, Anonymous, SKU, Properties string
}

// request returns the JSON of a request with one record in it.
func request(record string) string {
	return `{"resourceLogs":[{"scopeLogs":[{"scope":{"name":"shop"},"logRecords":[` + record + `]}],
		"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"checkout"}},{"key":"host.name","value":{"stringValue":"h"}}]}}]}`
}

// binary returns a request in protobuf.
func binary(tb testing.TB, text string) []byte {
	tb.Helper()
	var message collector.ExportLogsServiceRequest
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal([]byte(text), &message); err != nil {
		tb.Fatal(err)
	}
	body, err := proto.Marshal(&message)
	if err != nil {
		tb.Fatal(err)
	}
	return body
}

// A record becomes the event that it means, in both encodings.
func TestRecords(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		record string
		want   told
	}{
		"an event": {
			`"eventName":"order.paid","traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","future":[1],"attributes":[
				{"key":"user.id","value":{"stringValue":"ada"}},{"key":"n","value":{"intValue":"9007199254740993"}},{"key":"f","value":{"doubleValue":1.5}},
				{"key":"list","value":{"arrayValue":{"values":[{"boolValue":true},{}]}}},{"key":"nan","value":{"doubleValue":"NaN"}}]`,
			told{"order.paid", "ada", "", "", `{"f":1.5,"list":[true,null],"n":9007199254740993,"nan":"NaN","service.name":"checkout"}`},
		},
		"an attribute has the name": {
			`"attributes":[{"key":"event.name","value":{"stringValue":"view"}},{"key":"product.sku","value":{"stringValue":"TEA"}},
				{"key":"enduser.id","value":{"intValue":17}},{"key":"session.id","value":{"stringValue":"s"}}]`,
			told{"view", "17", "", "TEA", `{"service.name":"checkout","session_id":"s"}`},
		},
		"a session": {
			`"eventName":"x","attributes":[{"key":"session.id","value":{"stringValue":"s"}}]`,
			told{"x", "", "s", "", `{"service.name":"checkout","session_id":"s"}`},
		},
		"a body that is a map": {
			`"eventName":"x","body":{"kvlistValue":{"values":[{"key":"a","value":{"intValue":1}},{"key":"b","value":{"bytesValue":"aGk="}}]}},"attributes":[
				{"key":"enduser.pseudo.id","value":{"stringValue":"v"}},{"key":"a","value":{"intValue":2}},{"key":"service.name","value":{"stringValue":"own"}}]`,
			told{"x", "", "v", "", `{"a":2,"b":"aGk=","service.name":"own"}`},
		},
		"a body that is a text": {
			`"eventName":"x","body":{"stringValue":"paid"},"attributes":[{"key":"user.id","value":{"stringValue":"a"}}]`,
			told{"x", "a", "", "", `{"body":"paid","service.name":"checkout"}`},
		},
	} {
		body := request(`{"timeUnixNano":"1773480413123456000",` + c.record + `}`)
		for encoding, parse := range map[string]func() (Request, error){
			"JSON":     func() (Request, error) { return JSON([]byte(body)) },
			"protobuf": func() (Request, error) { return Protobuf(binary(t, body)) },
		} {
			request, err := parse()
			if err != nil {
				t.Fatal(name, err)
			}
			drafts := request.Events()
			if len(drafts) != 1 || drafts[0].Refused() {
				t.Fatalf("%s in %s: got %+v", name, encoding, drafts)
			}
			d := &drafts[0]
			if diff := cmp.Diff(c.want, told{d.Type, d.UserID, d.AnonymousID, d.SKU, string(d.Properties)}); diff != "" {
				t.Errorf("%s in %s (-want +got):\n%s", name, encoding, diff)
			}
			if at := time.Date(2026, 3, 14, 9, 26, 53, 123_456_000, time.UTC); !d.TS.Equal(at) {
				t.Errorf("%s in %s: the time is %s", name, encoding, d.TS)
			}
		}
	}
}

// The id is that of an attribute, or of all that was sent, so that the same record has the same.
func TestIdentity(t *testing.T) {
	t.Parallel()
	id := func(members string) string {
		request, err := Protobuf(binary(t, request(`{"eventName":"x","observedTimeUnixNano":"1773480413123456000",`+members+`}`)))
		if err != nil {
			t.Fatal(err)
		}
		d := request.Events()[0]
		if d.Refused() || !d.Has(event.FieldID) || !d.Has(event.FieldTS) {
			t.Fatalf("refused: %+v", d)
		}
		return d.ID.String() + d.IDText
	}
	first := id(`"severityNumber":9`)
	if again := id(`"severityNumber":9`); again != first {
		t.Error("the same record has two ids")
	}
	if id(`"severityNumber":10`) == first {
		t.Error("two records have the same id")
	}
	for _, name := range []string{"event.id", "log.record.uid"} {
		const own = "0195a3f4-11d2-7c9e-a6f0-8b3e5d7c2a91"
		if got := id(`"attributes":[{"key":"` + name + `","value":{"stringValue":"` + own + `"}}]`); got != own {
			t.Errorf("the id of %s is %s", name, got)
		}
	}
}

// A record that is wrong is refused with the reason, and keeps no other out.
func TestRefusals(t *testing.T) {
	t.Parallel()
	const good = `{"eventName":"x","timeUnixNano":"1773480413123456000"}`
	deep := strings.Repeat(`{"arrayValue":{"values":[`, 40) + `{"intValue":1}` + strings.Repeat(`]}}`, 40)
	for record, want := range map[string]string{
		`{"body":{"stringValue":"a line of a log"},"timeUnixNano":"1"}`: " no_event_name",
		`{"eventName":"x"}`:                       "/timeUnixNano required",
		`{"eventName":"x","timeUnixNano":"soon"}`: " malformed_json",
		`17`: " malformed_json",
		`{"eventName":"x","timeUnixNano":"1","body":{"stringValue":"` + strings.Repeat("x", MaxRecord) + `"}}`: " malformed_json",
		`{"eventName":"x","timeUnixNano":"1","attributes":[{"key":"a","value":` + deep + `}]}`:                 "/properties invalid_value",
		`{"eventName":"x","timeUnixNano":"1","attributes":[{"key":"a","value":17}]}`:                           " malformed_json",
	} {
		request, err := JSON([]byte(request(record + "," + good)))
		if err != nil {
			t.Fatal(err)
		}
		drafts := request.Events()
		if !drafts[0].Refused() || drafts[1].Refused() {
			t.Errorf("%.200s: %+v", record, drafts)
			continue
		}
		if p := drafts[0].Problems[0]; p.Pointer+" "+p.Code != want {
			t.Errorf("%.200s: %s %s %s, want %s", record, p.Pointer, p.Code, p.Detail, want)
		}
	}
	many := request(strings.Repeat("{},", event.MaxBatch) + "{}")
	for name, parse := range map[string]func() (Request, error){
		"JSON, broken": func() (Request, error) { return JSON([]byte(`{"resourceLogs":[`)) }, "JSON, no object": func() (Request, error) { return JSON([]byte(`[]`)) },
		"protobuf, broken": func() (Request, error) { return Protobuf([]byte{0x0a, 0x05, 1}) }, "JSON, too many": func() (Request, error) { return JSON([]byte(many)) },
		"protobuf, too many": func() (Request, error) { return Protobuf(binary(t, many)) },
	} {
		if r, err := parse(); err == nil {
			t.Errorf("%s: %d records are taken", name, r.Len())
		}
	}
}

// What anybody sends makes drafts that are refused or have a name, an id and an object as properties; it takes memory by its size only.
func FuzzProtobuf(f *testing.F) {
	f.Add(binary(f, request(`{"eventName":"x","timeUnixNano":"1773480413123456000","attributes":[{"key":"a","value":{"arrayValue":{"values":[{},{"intValue":1}]}}}]}`)))
	f.Add(binary(f, request(`{},{"body":{"kvlistValue":{"values":[{"key":"a"}]}}}`)))
	f.Add([]byte{0x0a, 0x05, 1})
	f.Fuzz(func(t *testing.T, body []byte) { check(t, Protobuf, body) })
}

func FuzzJSON(f *testing.F) {
	f.Add([]byte(request(`{"eventName":"x","timeUnixNano":"1773480413123456000","attributes":[{"key":"a","value":{"arrayValue":{"values":[{},{"intValue":1}]}}}]}`)))
	f.Add([]byte(request(`{},17,null,{"body":{"kvlistValue":{"values":[{"key":"a"}]}}}`)))
	f.Add([]byte(`{"resourceLogs":{"scopeLogs":null}}`))
	f.Fuzz(func(t *testing.T, body []byte) { check(t, JSON, body) })
}

func check(t *testing.T, parse func([]byte) (Request, error), body []byte) {
	t.Helper()
	request, err := parse(body)
	if err != nil {
		return
	}
	for _, d := range request.Events() {
		if !d.Refused() && (d.Type == "" || !d.Has(event.FieldID) || !d.Has(event.FieldTS) || len(d.Properties) > 0 && d.Properties[0] != '{') {
			t.Errorf("got %+v", d)
		}
	}
}
