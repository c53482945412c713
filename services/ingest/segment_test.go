package ingest_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// basic is how libraries send the key: as the user name.
func basic(key string) []string {
	return []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(key+":"))}
}

// segment sends a call and returns how many messages were stored and refused.
func (p *platform) segment(kind, body string) string {
	p.t.Helper()
	a := p.send(http.MethodPost, "/segment/v1/"+kind, "", []byte(body), basic(p.ingestKey)...)
	a.expect(p.t, http.StatusOK, "")
	if a.object["success"] != true {
		p.t.Errorf("%s is answered with %v", kind, a.object)
	}
	return a.header.Get("Events-Accepted") + "+" + a.header.Get("Events-Rejected")
}

func (p *platform) metrics() string {
	p.t.Helper()
	response, err := http.Get(p.url + "/metrics")
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(content)
}

// Each kind of message is stored as what it means, once, however often it is sent.
func TestSegmentMessages(t *testing.T) {
	t.Parallel()
	p := start(t)
	at := time.Now().UTC().Add(-time.Hour).Truncate(time.Millisecond).Format(time.RFC3339Nano)
	item := func(id, rest string) string {
		return fmt.Sprintf(`{"messageId":"node-%s","timestamp":%q,%s}`, id, at, rest)
	}
	batch := fmt.Sprintf(`{"batch":[%s],"sentAt":%q,"writeKey":"unused"}`, strings.Join([]string{
		item("1", `"type":"track","anonymousId":"visitor","userId":null,"event":"Product Viewed","properties":{"sku":"SHOE","price":129},
			"context":{"page":{"url":"https://shop.example/shoe","referrer":"https://search.example/"},"campaign":{"name":"spring","source":"mail"}}`),
		item("2", `"type":"identify","anonymousId":"visitor","userId":17,"traits":{"plan":"pro"}`),
		item("3", `"type":"track","userId":17,"event":"Signed Up","properties":{"url":"https://own.example/"},"context":{"page":{"url":"https://other.example/"}}`),
		item("4", `"type":"page","userId":"17","name":"Home","properties":{"title":"Shop"}`),
		item("5", `"type":"group","userId":"17","groupId":"acme","traits":{"seats":3}`),
		item("6", `"type":"alias","userId":"17","previousId":"phone"`),
		item("7", `"type":"screen","anonymousId":"tablet","name":"Cart"`),
		item("8", `"type":"track","userId":"17","event":"Product Added","properties":{"product_id":"SHOE"}`),
		item("9", `"type":"Track","userId":"17","event":"Order Completed"`),
	}, ","), time.Now().UTC().Format(time.RFC3339Nano))
	for range 2 {
		if got := p.segment("batch", batch); got != "9+0" {
			t.Errorf("the batch: %s", got)
		}
	}
	if got := p.segment("track", item("10", `"userId":"17","event":"Alone","properties":null`)); got != "1+0" {
		t.Errorf("one message: %s", got)
	}
	want := map[string]string{
		"view":            `{"sku": "SHOE", "url": "https://shop.example/shoe", "price": 129, "referrer": "https://search.example/", "utm_source": "mail", "utm_campaign": "spring"}`,
		"Signed Up":       `{"url": "https://own.example/"}`,
		"page":            `{"name": "Home", "title": "Shop"}`,
		"group":           `{"seats": 3, "group_id": "acme"}`,
		"screen":          `{"name": "Cart"}`,
		"add_to_cart":     `{"product_id": "SHOE"}`,
		"Order Completed": "", "Alone": "",
	}
	got := map[string]string{}
	for _, row := range p.stored(`SELECT n.name, coalesce(e.properties::jsonb::text, '') AS properties, e.ts::text AS ts FROM ingest.events e JOIN ingest.names n ON n.project = e.project AND n.n = e.name WHERE n.name <> 'identify'`) {
		name := row["name"].(string)
		if _, twice := got[name]; twice {
			t.Errorf("%s is stored twice", name)
		}
		got[name] = row["properties"].(string)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events by name (-want +got):\n%s", diff)
	}
	if n := p.count(`SELECT count(*) FROM ingest.users u JOIN ingest.users person ON person.n = u.person WHERE u.anonymous AND u.id IN ('visitor', 'phone') AND person.id = '17'`); n != 2 {
		t.Errorf("%d ids are joined to the user, want 2", n)
	}
	if n := p.count(`SELECT count(*) FROM ingest.events WHERE ts = $1`, at); n != 10 {
		t.Errorf("%d events have the time of their message, want 10", n)
	}
	if n := p.count(`SELECT count(*) FROM ingest.events e JOIN ingest.names n ON n.n = e.name WHERE n.name IN ('view', 'add_to_cart') AND e.product IS NOT NULL`); n != 2 {
		t.Errorf("%d events have their product, want 2", n)
	}
}

// An order of a shop is one order with its lines, in the currency it names, and is refunded by its id.
func TestSegmentOrders(t *testing.T) {
	t.Parallel()
	p := start(t)
	completed := `{"messageId":"%s","type":"track","userId":"17","event":"Order Completed","properties":{"order_id":"A-1","currency":"usd",
		"total":30,"products":[{"sku":"SHOE","price":19.995,"quantity":2},{"product_id":"SHOE","price":"5","quantity":1.0}]}}`
	refunded := `{"messageId":"%s","type":"track","userId":"17","event":"Order Refunded","properties":{"order_id":"A-1"%s}}`
	send := func(messages ...string) string {
		return p.segment("batch", `{"batch":[`+strings.Join(messages, ",")+`]}`)
	}
	partial := fmt.Sprintf(refunded, "r1", `,"products":[{"sku":"SHOE","quantity":1}]`)
	if got := send(partial, fmt.Sprintf(completed, "m1")); got != "2+0" { // refunds are stored after the orders of their batch
		t.Errorf("an order and its refund: %s", got)
	}
	if got := send(fmt.Sprintf(completed, "m2"), partial); got != "2+0" {
		t.Errorf("the same, from another place: %s", got)
	}
	if got := send(fmt.Sprintf(refunded, "r4", `,"total":"10","currency":"EUR"`), fmt.Sprintf(refunded, "r5", `,"total":10`), fmt.Sprintf(refunded, "r6", `,"total":10.00,"currency":"usd"`)); got != "1+2" {
		t.Errorf("a refund of an amount, in another currency, in none and in that of the order: %s", got)
	}
	if n := p.count(`SELECT sum(amount_minor) FROM ingest.refund_lines`); n != 1999+1000 {
		t.Errorf("%d are refunded, want 2999", n)
	}
	if got := send(fmt.Sprintf(refunded, "r2", "")); got != "1+0" {
		t.Errorf("a refund of what is left: %s", got)
	}
	if got := send(strings.Replace(fmt.Sprintf(refunded, "r3", ""), "A-1", "A-2", 1), strings.Replace(fmt.Sprintf(completed, "m3"), "19.995", "20", 1),
		strings.Replace(fmt.Sprintf(completed, "m4"), `"quantity":2`, `"quantity":2.5`, 1)); got != "0+3" {
		t.Errorf("an unknown order, another order with the same id, and half a unit: %s", got)
	}
	got := p.stored(`SELECT o.number, o.currency, (SELECT sum(amount_minor)::bigint FROM ingest.order_lines l WHERE l.order_id = o.id) AS amount,
		(SELECT sum(quantity)::bigint FROM ingest.order_lines l WHERE l.order_id = o.id) AS units,
		(SELECT sum(l.amount_minor)::bigint FROM ingest.refund_lines l JOIN ingest.refunds r ON r.id = l.refund_id WHERE r.order_id = o.id) AS refunded
		FROM ingest.orders o`)
	want := []map[string]any{{"number": "A-1", "currency": "USD", "amount": 4499.0, "units": 3.0, "refunded": 4499.0}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("orders (-want +got):\n%s", diff)
	}
}

// A message without an id is identified by what it says, because a library sends the same again.
func TestSegmentMessagesWithoutIDs(t *testing.T) {
	t.Parallel()
	p := start(t)
	batch := `{"batch":[{"type":"track","userId":"u","event":"Played","timestamp":"%[1]s"},{"type":"track","userId":"u","event":"Played","timestamp":"%[1]s","properties":{"n":2}}]}`
	batch = fmt.Sprintf(batch, time.Now().UTC().Add(-time.Minute).Format(time.RFC3339Nano))
	for range 2 {
		if got := p.segment("batch", batch); got != "2+0" {
			t.Errorf("the batch: %s", got)
		}
	}
	if n := p.count(`SELECT count(*) FROM ingest.events`); n != 2 {
		t.Errorf("%d events are stored, want 2", n)
	}
}

// What cannot be stored does not affect the rest, and what is no request of the API is refused for ever, so that it is not sent again.
func TestSegmentRefusals(t *testing.T) {
	t.Parallel()
	p := start(t)
	fine := `{"type":"track","userId":"u","event":"Fine"}`
	for name, c := range map[string]struct{ item, code string }{
		"no object":       {`17`, "malformed_json"},
		"an object as id": {`{"type":"track","userId":{},"event":"x"}`, "malformed_json"},
		"no user":         {`{"type":"track","event":"x"}`, "user_id_required"},
		"no name":         {`{"type":"track","userId":"u"}`, "required"},
		"another type":    {`{"type":"visit","userId":"u"}`, "invalid_value"},
		"a bad time":      {`{"type":"track","userId":"u","event":"x","timestamp":"yesterday"}`, "invalid_value"},
		"an unknown SKU":  {`{"type":"track","userId":"u","event":"Product Viewed","properties":{"sku":"NONE"}}`, "unknown_product"},
		"properties":      {`{"type":"track","userId":"u","event":"x","properties":[1]}`, "wrong_type"},
		"a large message": {`{"type":"track","userId":"u","event":"x","properties":{"a":"` + strings.Repeat("x", 33<<10) + `"}}`, "malformed_json"},
		"deep properties": {`{"type":"track","userId":"u","event":"x","properties":` + strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40) + `}`, "invalid_value"},
	} {
		before := p.count(`SELECT count(*) FROM ingest.events`)
		if got := p.segment("batch", `{"batch":[`+c.item+`,`+fine+`]}`); got != "1+1" {
			t.Errorf("%s: %s", name, got)
		}
		if p.count(`SELECT count(*) FROM ingest.events`) != before+1 {
			t.Errorf("%s: the other message is not stored", name)
		}
		if !strings.Contains(p.metrics(), `hpa_ingest_events_rejected_total{code="`+c.code+`"}`) {
			t.Errorf("%s is not counted as %s", name, c.code)
		}
	}
	for name, c := range map[string]struct {
		kind, body string
		status     int
		code       string
	}{
		"no JSON":   {"batch", `{"batch":[`, http.StatusBadRequest, "malformed_json"},
		"text":      {"track", `hello`, http.StatusBadRequest, "malformed_json"},
		"too large": {"batch", strings.Repeat(" ", 501<<10), http.StatusBadRequest, "body_too_large"},
		"one large": {"track", `{"event":"` + strings.Repeat("x", 33<<10) + `"}`, http.StatusBadRequest, "event_too_large"},
		"many":      {"batch", `{"batch":[` + strings.Repeat(`{},`, 1000) + `{}]}`, http.StatusBadRequest, "batch_too_large"},
		"lines": {
			"batch", `{"batch":[` + strings.Repeat(`{"type":"track","userId":"u","event":"Order Completed","properties":{"order_id":"1","products":[`+strings.Repeat("{},", 1999)+`{}]}},`, 5) +
				`{"type":"track","userId":"u","event":"Order Completed","properties":{"order_id":"1","products":[{}]}}]}`, http.StatusBadRequest, "batch_too_large",
		},
		"no call": {"delete", `{}`, http.StatusNotFound, "no_such_path"},
	} {
		t.Run(name, func(t *testing.T) {
			p.send(http.MethodPost, "/segment/v1/"+c.kind, "", []byte(c.body), basic(p.ingestKey)...).expect(t, c.status, c.code)
		})
	}
	for name, order := range map[string]string{
		"products that are no list": `{"order_id":"1","products":{"sku":"SHOE"}}`, "no products": `{"order_id":"1"}`,
		"too many products": `{"order_id":"1","products":[` + strings.Repeat("{},", 2000) + `{}]}`,
	} {
		if got := p.segment("track", `{"userId":"u","event":"Order Completed","properties":`+order+`}`); got != "0+1" {
			t.Errorf("an order with %s: %s", name, got)
		}
	}
	p.send(http.MethodPost, "/segment/v1/track", "", []byte(fine), basic(p.apiKey("read"))...).expect(t, http.StatusForbidden, "forbidden")
	p.send(http.MethodPost, "/segment/v1/track", "", []byte(fine), basic("hpa_unknown")...).expect(t, http.StatusUnauthorized, "invalid_api_key")
	p.send(http.MethodPost, "/segment/v1/track", "", []byte(fine), "Authorization", "Basic ???").expect(t, http.StatusUnauthorized, "invalid_authorization")
	if got := p.segment("batch", `{"batch":[]}`); got != "0+0" {
		t.Errorf("an empty batch: %s", got)
	}
}
