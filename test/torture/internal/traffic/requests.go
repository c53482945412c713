package traffic

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

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

var types = []string{"view", "view", "view", "view", "click", "click", "add_to_cart", "search", "wishlist.add", "Signed Up", "商品を見た"}

// event generates a valid event.
func (g *Generator) event() encodedEvent {
	e := ledger.Event{UserID: g.user(), Type: types[g.random.IntN(len(types))]}
	id, ts, sendTime := g.identity()
	e.ID, e.TS = id, ts
	fields := map[string]any{"id": id, "type": e.Type, "user_id": e.UserID}
	if g.chance(85) {
		product := g.product()
		field, value := g.name(product)
		e.ProductID, fields[field] = product.ID, value
	}
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
	kinds := 4
	if line {
		kinds = 5
	}
	switch g.random.IntN(kinds) {
	case 0:
		fields["sku"], code = "NO-SUCH-PRODUCT", "unknown_product"
	case 1:
		fields["type"], code = strings.Repeat("long ", 50), "invalid_value"
	case 2:
		delete(fields, "user_id")
		code = "user_id_required"
	case 3:
		fields["ts"], code = g.begin.AddDate(-1, 0, 0), "ts_too_old"
	case 4:
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
		if i > 0 && g.chance(4) { // a request without any good event is refused as a whole
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

// order generates an order of some lines, which may be refunded later.
func (g *Generator) order() Request {
	id, ts, _ := g.identity()
	currency := currencies[g.random.IntN(len(currencies))]
	o := &ledger.Order{ID: id, TS: ts, UserID: g.user(), Currency: currency}
	lines := make([]map[string]any, 1+g.random.IntN(4))
	for i := range lines {
		product := g.product()
		field, value := g.name(product)
		l := ledger.Line{ProductID: product.ID, Quantity: int64(1 + g.random.IntN(5)), AmountMinor: g.random.Int64N(100_000)}
		lines[i] = map[string]any{field: value, "quantity": l.Quantity, "amount_minor": l.AmountMinor}
		o.Lines = append(o.Lines, l)
	}
	g.refundable = append(g.refundable, *o)
	fields := map[string]any{"id": id, "ts": ts, "user_id": o.UserID, "currency": currency, "lines": lines}
	return Request{Request: ledger.Request{Order: o}, Path: "/orders", ContentType: jsonType, Body: []byte(encode(fields))}
}

// currencies are those of orders, with 2, 0 and 3 decimals.
var currencies = []string{"EUR", "JPY", "KWD"}

// refund generates a refund of one line of an order that was sent, or reports that there is none. Each order is refunded once,
// so the platform never has to refuse.
func (g *Generator) refund() (Request, bool) {
	if len(g.refundable) == 0 {
		return Request{}, false
	}
	i := g.random.IntN(len(g.refundable))
	o := g.refundable[i]
	g.refundable = slices.Delete(g.refundable, i, i+1)
	id, ts, _ := g.identity()
	number := 1 + g.random.IntN(len(o.Lines))
	line := o.Lines[number-1]
	back := ledger.Back{Units: 1 + g.random.Int64N(line.Quantity), AmountMinor: g.random.Int64N(line.AmountMinor + 1)}
	r := &ledger.Refund{ID: id, OrderID: o.ID, TS: ts, Lines: map[int]ledger.Back{number: back}}
	fields := map[string]any{"id": id, "ts": ts, "lines": []any{
		map[string]any{"line": number, "quantity": back.Units, "amount_minor": back.AmountMinor},
	}}
	return Request{
		Request: ledger.Request{Refund: r}, Path: "/orders/" + o.ID.String() + "/refunds", ContentType: jsonType, Body: []byte(encode(fields)),
	}, true
}
