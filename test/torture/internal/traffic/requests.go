package traffic

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/test/torture/internal/ledger"
)

const (
	jsonType   = "application/json"
	ndjsonType = "application/x-ndjson"
)

// encodedEvent is an event and its JSON.
type encodedEvent struct {
	ledger.Event
	json string
}

var types = []string{"view", "view", "view", "view", "click", "click", "add_to_cart", "search", "wishlist.add"}

// event generates a valid event.
func (g *Generator) event() encodedEvent {
	product := g.product()
	e := ledger.Event{ProductID: product.ID, UserID: g.user(), Type: types[g.random.IntN(len(types))]}
	id, ts, sendTime := g.identity()
	e.ID, e.TS = id, ts
	field, value := g.name(product)
	fields := map[string]any{"id": id, "type": e.Type, "user_id": e.UserID, field: value}
	if sendTime {
		fields["ts"] = ts
	}
	if g.chance(60) {
		e.Properties = fmt.Sprintf(`{"n":%d,"page":"/p/%d"}`, g.random.IntN(1_000_000), g.random.IntN(100))
		fields["properties"] = json.RawMessage(e.Properties)
	}
	return remember(g, &g.events, encodedEvent{e, encode(fields)})
}

func encode(fields map[string]any) string {
	encoded, err := json.Marshal(fields)
	if err != nil {
		panic(err) // the fields are known to be encodable
	}
	return string(encoded)
}

func (g *Generator) single() Request {
	e := g.event()
	return Request{Request: ledger.Request{Events: []ledger.Event{e.Event}}, Path: "/events", ContentType: jsonType, Body: []byte(e.json)}
}

// bad generates an event that must be refused, and the code of the refusal. Its id is unique.
func (g *Generator) bad(line bool) (encoded, code string) {
	id, _, _ := g.identity()
	fields := map[string]any{"id": id, "type": "view", "user_id": g.user(), "sku": g.product().SKU, "ts": g.begin}
	kinds := 5
	if line {
		kinds = 6
	}
	switch g.random.IntN(kinds) {
	case 0:
		fields["sku"], code = "NO-SUCH-PRODUCT", "unknown_product"
	case 1:
		fields["type"], code = "Not A Type", "invalid_value"
	case 2:
		delete(fields, "user_id")
		code = "user_id_required"
	case 3:
		fields["ts"], code = g.begin.AddDate(-1, 0, 0), "ts_too_old"
	case 4:
		fields["ts"], code = g.begin.Add(24*time.Hour), "ts_in_future"
	case 5:
		return `{"type":"view",`, "malformed_json"
	}
	return encode(fields), code
}

func (g *Generator) badEvent() Request {
	encoded, code := g.bad(false)
	return Request{Request: ledger.Request{Bad: map[int]string{0: code}}, Path: "/events", ContentType: jsonType, Body: []byte(encoded)}
}

// Bulk generates a request of n events: mostly new ones, some invalid, some twice, some that were sent before.
func (g *Generator) Bulk(n int) Request {
	r := Request{Request: ledger.Request{Bad: map[int]string{}}, Path: "/events/bulk", ContentType: jsonType}
	lines := g.chance(30)
	items := make([]string, n)
	for i := range items {
		if g.chance(4) {
			items[i], r.Bad[i] = g.bad(lines)
			continue
		}
		var e encodedEvent
		if g.repeats() && g.chance(6) {
			e = g.events[g.random.IntN(len(g.events))]
		} else {
			e = g.event()
		}
		items[i] = e.json
		r.Events = append(r.Events, e.Event)
	}
	if lines {
		r.ContentType, r.Body = ndjsonType, []byte(strings.Join(items, "\n")+"\n")
	} else {
		r.Body = []byte(`{"events":[` + strings.Join(items, ",") + `]}`)
	}
	return r
}

// purchase generates a purchase with an Idempotency-Key, an id, or both.
func (g *Generator) purchase() Request {
	product := g.product()
	p := &ledger.Purchase{ProductID: product.ID, UserID: g.user(), Quantity: int64(1 + g.random.IntN(5)), Currency: product.Currency}
	p.AmountMinor = p.Quantity * product.PriceMinor
	field, value := g.name(product)
	fields := map[string]any{"user_id": p.UserID, "quantity": p.Quantity, field: value}
	id, ts, sendTime := g.identity()
	if g.chance(80) {
		p.Key = "order-" + id.String()
	}
	if p.Key == "" || g.chance(75) {
		p.ID, p.TS, fields["id"] = id, ts, id
	}
	if p.ID != uuid.Nil && sendTime {
		fields["ts"] = ts
	}
	if g.chance(30) {
		p.AmountMinor = g.random.Int64N(1_000_000)
		fields["amount_minor"], fields["currency"] = p.AmountMinor, p.Currency
	}
	return Request{
		Request: ledger.Request{Purchase: p}, Path: "/purchases", ContentType: jsonType, Key: p.Key, Body: []byte(encode(fields)),
	}
}
