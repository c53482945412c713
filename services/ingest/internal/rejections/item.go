package rejections

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/order"
)

// Bounds of what is kept of a refusal, in bytes.
const (
	mostPointer = 120
	mostDetail  = 240
	mostText    = 80  // of a value that is shown
	mostName    = 60  // of the name of a property
	mostItem    = 400 // of an item, before the last name or value
)

// EventItem returns an event as it was sent. What names the item and its product is shown; of ids of people and of properties only
// that they are there, and of which type.
func EventItem(d *event.Draft) json.RawMessage {
	var i item
	i.fact(&d.FactDraft, func() {
		if d.Has(event.FieldType) {
			i.text("type", d.Type)
		}
	})
	i.properties(d.Properties)
	return i.end()
}

// OrderItem does the same for an order, and for a refund without an order.
func OrderItem(d *order.Draft) json.RawMessage {
	var i item
	i.fact(&d.FactDraft, func() {
		if d.Has(event.FieldCurrency) {
			i.text("currency", d.Currency)
		}
	})
	i.lines(d.Lines)
	i.properties(d.Properties)
	return i.end()
}

// RefundItem does the same for a refund of an order.
func RefundItem(d *order.RefundDraft) json.RawMessage {
	var i item
	i.fact(&d.FactDraft, func() {
		if d.Has(event.FieldAmount) {
			i.value("amount_minor", d.AmountMinor)
		}
	})
	i.lines(d.Lines)
	return i.end()
}

// item is a JSON object that is being written.
type item struct{ bytes.Buffer }

func (i *item) value(name string, value any) {
	if i.Len() > mostItem {
		return
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return // texts, numbers and raw JSON have no errors
	}
	i.WriteString(map[bool]string{true: "{", false: ","}[i.Len() == 0])
	quoted, _ := json.Marshal(cut(name, mostName)) //nolint:errchkjson // a text has no errors
	i.Write(quoted)
	i.WriteByte(':')
	i.Write(encoded)
}

func (i *item) text(name, value string) { i.value(name, cut(value, mostText)) }

func (i *item) end() json.RawMessage {
	if i.Len() == 0 {
		return nil
	}
	i.WriteByte('}')
	return i.Bytes()
}

// fact writes what all items have, and between its parts what more writes.
func (i *item) fact(d *event.FactDraft, more func()) {
	if d.Has(event.FieldID) {
		if d.ID != uuid.Nil {
			i.value("id", d.ID)
		} else {
			i.text("id", d.IDText)
		}
	}
	more()
	if d.Has(event.FieldTS) {
		i.value("ts", d.TS.Format(time.RFC3339Nano))
	}
	i.product(d.Has, d.SKU, d.ProductID)
	if d.Has(event.FieldUserID) {
		i.value("user_id", hidden("string"))
	}
	if d.Has(event.FieldAnonymousID) {
		i.value("anonymous_id", hidden("string"))
	}
}

func (i *item) product(has func(event.Fields) bool, sku string, id uuid.UUID) {
	if has(event.FieldSKU) {
		i.text("sku", sku)
	}
	if has(event.FieldProductID) {
		i.value("product_id", id)
	}
}

func (i *item) lines(lines []order.LineDraft) {
	if len(lines) == 0 {
		return
	}
	var all []json.RawMessage
	for n := range min(3, len(lines)) {
		l := &lines[n]
		var line item
		line.product(l.Has, l.SKU, l.ProductID)
		if l.Has(event.FieldQuantity) {
			line.value("quantity", l.Quantity)
		}
		if l.Has(event.FieldAmount) {
			line.value("amount_minor", l.AmountMinor)
		}
		if text := line.end(); text != nil {
			all = append(all, text)
		}
	}
	i.value("lines", all)
}

// properties writes the names of properties with the types of their values.
func (i *item) properties(raw []byte) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return
	}
	var names item
	for decoder.More() && names.Len() < mostItem/2 {
		name, err := decoder.Token()
		var value json.RawMessage
		if err != nil || decoder.Decode(&value) != nil {
			break
		}
		text, _ := name.(string) // a name always is
		names.value(text, hidden(typeOf(value)))
	}
	if text := names.end(); text != nil {
		i.value("properties", text)
	}
}

// hidden stands for a value that is not shown.
func hidden(kind string) string { return "(" + kind + ")" }

func typeOf(value json.RawMessage) string {
	switch value[0] {
	case '"':
		return "string"
	case '{':
		return "object"
	case '[':
		return "array"
	case 't', 'f':
		return "boolean"
	case 'n':
		return "null"
	default:
		return "number"
	}
}

// cut returns a text of at most n bytes, and three more where it ends early. What is no UTF-8 is replaced.
func cut(text string, n int) string {
	if len(text) <= n {
		return strings.ToValidUTF8(text, "\uFFFD")
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return strings.ToValidUTF8(text[:n], "\uFFFD") + "…"
}
