package mapping_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer/mapping"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer/source"
)

// facts returns what each row of a text is, in short, or why it is nothing.
func facts(t *testing.T, config, text string) []string {
	t.Helper()
	m, err := mapping.Parse([]byte(config))
	if err != nil {
		t.Fatal(err)
	}
	f, err := source.Open(source.Stdin, strings.NewReader(text), m.File)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := source.NewRows(f, m.File)
	if err != nil {
		t.Fatal(err)
	}
	if missing := m.Missing(rows.Header); rows.Format == source.CSV && missing != nil {
		t.Fatal(missing)
	}
	var got []string
	for {
		row, err := rows.Next()
		if err != nil {
			return got
		}
		if row.Err != nil {
			t.Fatal(row.Err)
		}
		fact, err := m.Fact(row)
		if err != nil {
			got = append(got, err.Error())
			continue
		}
		got = append(got, short(t, fact))
	}
}

func short(t *testing.T, f mapping.Fact) string {
	t.Helper()
	text := fmt.Sprintf("%s %s %s%s %s %s x%d", f.Kind, f.Number, f.UserID, f.AnonymousID, f.TS.Format("2006-01-02T15:04:05Z07:00"), f.SKU, f.Units)
	if f.AmountMinor != nil {
		text += fmt.Sprintf(" %d %s", *f.AmountMinor, f.Currency)
	}
	if f.Order != "" {
		text += " of " + f.Order
	}
	if f.Properties != nil {
		properties, err := json.Marshal(f.Properties)
		if err != nil {
			t.Fatal(err)
		}
		text += " " + string(properties)
	}
	return text
}

const retail = `
rows: orders
fields: {order: InvoiceNo, sku: StockCode, quantity: Quantity, ts: InvoiceDate, unit_price: UnitPrice, user_id: CustomerID}
constants: {currency: GBP}
properties: {country: Country}
time_layout: "2006-01-02 15:04:05"
time_zone: Europe/London
missing_user: anonymous
returns: {prefix: C, negative_quantity: refund, negative_price: refund}
`

func TestRetailRows(t *testing.T) {
	t.Parallel()
	const header = "InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
	for row, want := range map[string]string{
		"1,A b,6,2025-03-30 00:30:00,2.55,7,EIRE":         `orders 1 7 2025-03-30T00:30:00Z A b x6 1530 GBP {"country":"EIRE"}`,
		"1,A,1,2025-03-30 01:30:00,2.55,7,":               `orders 1 7 2025-03-30T01:30:00Z A x1 255 GBP`, // skipped by the clocks
		"1,A,1,2025-03-30 02:30:00,2.55,7,":               `orders 1 7 2025-03-30T01:30:00Z A x1 255 GBP`,
		"1,A,1,2025-10-26 00:59:59,2.55,7,":               `orders 1 7 2025-10-25T23:59:59Z A x1 255 GBP`,
		"1,A,1,2025-10-26 01:30:00,2.55,7,":               `orders 1 7 2025-10-26T00:30:00Z A x1 255 GBP`, // shown twice: the first time
		"1,A,1,2025-10-26 02:00:00,2.55,7,":               `orders 1 7 2025-10-26T02:00:00Z A x1 255 GBP`,
		"C1,A,-2,2025-04-01 09:12:00,2.55,7,":             `refunds C1 7 2025-04-01T08:12:00Z A x2 510 GBP`,
		"C1,A,2,2025-04-01 09:12:00,2.55,7,":              `refunds C1 7 2025-04-01T08:12:00Z A x2 510 GBP`, // the prefix decides
		"1,A,-10,2025-01-01 10:00:00,0.00,,":              `refunds 1  2025-01-01T10:00:00Z A x10 0 GBP`,
		"1,B,1,2025-01-01 10:00:00,-11062.06,,":           `refunds 1  2025-01-01T10:00:00Z B x0 1106206 GBP`,
		"1,A,1,2025-01-01 10:00:00,0.00,,":                `orders 1  2025-01-01T10:00:00Z A x1 0 GBP`,
		"1,A,1000,2025-01-01 10:00:00,0.001,,":            `orders 1  2025-01-01T10:00:00Z A x1000 100 GBP`,
		"1,A,1,2025-01-01 10:00:00,0.001,,":               `the amount has a part that is smaller than the minor unit of the currency: unit_price "0.001", 1 times`,
		"1,A,-1,2025-01-01 10:00:00,-5,,":                 `the quantity and the price are both negative`,
		"1,A,0,2025-01-01 10:00:00,5,,":                   `quantity is 0`,
		"1,A,1.5,2025-01-01 10:00:00,5,,":                 `quantity must be an integer, not "1.5"`,
		"1,A,1,2025-01-01 10:00:00,,,":                    `unit_price is missing`,
		"1,A,1,2025-01-01 10:00:00,free,,":                `unit_price must be a decimal number: -12.50, not "free"`,
		"1,,1,2025-01-01 10:00:00,5,,":                    `sku is missing`,
		"1,A,1,2025-02-30 10:00:00,5,,":                   `ts "2025-02-30 10:00:00" is no time in the layout 2006-01-02 15:04:05`,
		"1,A,9223372036854775807,2025-01-01 10:00:00,5,,": `the amount is too large: unit_price "5", 9223372036854775807 times`,
	} {
		if diff := cmp.Diff([]string{want}, facts(t, retail, header+row)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row, diff)
		}
	}
}

func TestReturnsAreRefusedUnlessDeclared(t *testing.T) {
	t.Parallel()
	config := strings.Replace(retail, "returns: {prefix: C, negative_quantity: refund, negative_price: refund}", "", 1)
	got := facts(t, config, "InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"+
		"C1,A,-2,2025-04-01 09:12:00,2.55,7,\n1,A,2,2025-04-01 09:12:00,-2.55,7,\n")
	if diff := cmp.Diff([]string{
		"quantity is negative; if that is a return, say so in the mapping (returns.negative_quantity)",
		"the amount is negative; if it was paid back, say so in the mapping (returns.negative_price)",
	}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOtherKinds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ config, text, want string }{
		"events": {
			`{"rows": "events", "fields": {"type": "event", "user_id": "user.id", "ts": "at", "id": "messageId"}, "properties_from": "properties"}`,
			`{"event":"Signed Up","user":{"id":17},"at":"2025-01-01T00:00:00.5+01:00","messageId":"ajs-1","properties":{"plan":"pro","n":[1]}}`,
			`events ajs-1 17 2024-12-31T23:00:00Z  x0 {"n":[1],"plan":"pro"}`,
		},
		"unix times": {
			"rows: events\nfields: {ts: t, anonymous_id: who}\nconstants: {type: view}\ntime_layout: unix\nproperties_from: p",
			"t,who,p\n1735689600.25,a,\"{\"\"x\"\":1}\"\n", `events  a 2025-01-01T00:00:00Z  x0 {"x":1}`,
		},
		"milliseconds": {
			"rows: events\nfields: {ts: t, user_id: who}\nconstants: {type: view}\ntime_layout: unix_ms",
			"t,who\n1735689600250,a\n", `events  a 2025-01-01T00:00:00Z  x0`,
		},
		"no user": {
			"rows: events\nfields: {ts: t, user_id: who}\nconstants: {type: view}\ntime_layout: unix_ms", "t,who\n1,\n", `user_id is missing`,
		},
		"amounts of lines with decimal commas": {
			"rows: orders\nfile: {delimiter: ;}\nfields: {order: o, sku: s, quantity: q, amount: a, currency: c, ts: t, user_id: u}\ndecimal: ','\nthousands: .",
			"o;s;q;a;c;t;u\n1;x;1.000;1.234,5;EUR;2025-01-01T00:00:00Z;u\n", `orders 1 u 2025-01-01T00:00:00Z x x1000 123450 EUR`,
		},
		"a point that is no decimal point": {
			"rows: orders\nfile: {delimiter: ;}\nfields: {sku: s, quantity: q, amount: a, ts: t, user_id: u}\nconstants: {currency: EUR}\ndecimal: ','",
			"s;q;a;t;u\nx;1;1.5;2025-01-01T00:00:00Z;u\n", `amount must be a decimal number: -12.50, not "1.5"`,
		},
		"an unknown currency": {
			"rows: orders\nfields: {sku: s, quantity: q, amount: a, currency: c, ts: t, user_id: u}",
			"s,q,a,c,t,u\nx,1,1.5,ZZZ,2025-01-01T00:00:00Z,u\n", `currency must be the code of a currency in ISO 4217, in capitals: EUR`,
		},
		"rounded": {
			"rows: orders\nfields: {sku: s, quantity: q, unit_price: p, ts: t, user_id: u}\nconstants: {currency: GBP}\nrounding: half_up",
			"s,q,p,t,u\nx,3,0.005,2025-01-01T00:00:00Z,u\n", `orders  u 2025-01-01T00:00:00Z x x3 2 GBP`,
		},
		"minor units": {
			"rows: refunds\nfields: {id: i, order: o, amount_minor: a, currency: c, ts: t}",
			"i,o,a,c,t\nr1,7,-250,KWD,2025-01-01T00:00:00Z\n", `refunds r1  2025-01-01T00:00:00Z  x0 250 KWD of 7`,
		},
		"a refund of no order needs a user": {
			"rows: refunds\nfields: {id: i, order: o, sku: s, quantity: q, amount_minor: a, currency: c, ts: t}",
			"i,o,s,q,a,c,t\nr1,,A,1,-250,KWD,2025-01-01T00:00:00Z\n", `user_id is missing`,
		},
		"products": {
			"rows: products\nfields: {sku: s, name: n, price: p}\nconstants: {currency: JPY}", "s,n,p\nA#12,Hat,120\n", `products   0001-01-01T00:00:00Z A#12 x0`,
		},
		"a negative price": {
			"rows: products\nfields: {sku: s, price: p}\nconstants: {currency: JPY}", "s,p\nA,-1\n", `price is negative`,
		},
	} {
		if diff := cmp.Diff([]string{c.want}, facts(t, c.config, c.text)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestWrongMappings(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]string{
		"rows: sales":                                                               `rows must be products, events, orders or refunds, not "sales"`,
		"rows: events\nfeilds: {}":                                                  `feilds`,
		"rows: events\nfields: {ts: t}":                                             `events need the field type, from a column or a constant`,
		"rows: products\nfields: {ts: t}":                                           `products have no field "ts"`,
		retail + "rounding: up":                                                     `rounding must be refuse or half_up, not "up"`,
		retail + "file: {charset: klingon}":                                         `unknown charset "klingon"`,
		retail + "file: {delimiter: '||'}":                                          `delimiter must be one ASCII character`,
		retail + "file: {format: xml}":                                              `format must be csv or ndjson, not "xml"`,
		retail + "thousands: .":                                                     `decimal and thousands must be different`,
		strings.Replace(retail, "Europe/London", "Europe/Londinium", 1):             `time_zone: unknown time zone Europe/Londinium`,
		strings.Replace(retail, "time_zone: Europe/London", "", 1):                  `time_zone is required`,
		strings.Replace(retail, "currency: GBP", "currency: ZZZ", 1):                `currency must be the code of a currency`,
		strings.Replace(retail, "constants: {currency: GBP}", "", 1):                `amounts need the field currency`,
		strings.Replace(retail, "unit_price: UnitPrice, ", "", 1):                   `orders need one of the fields unit_price, amount and amount_minor`,
		strings.Replace(retail, "unit_price", "amount: x, unit_price", 1):           `orders need one of the fields unit_price, amount and amount_minor`,
		"rows: events\nfields: {type: a, ts: t}\nreturns: {prefix: C}":              `only orders have returns`,
		"rows: refunds\nfields: {ts: t, unit_price: p}\nconstants: {currency: EUR}": `unit_price needs the field quantity`,
	} {
		if _, err := mapping.Parse([]byte(config)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", config, err, want)
		}
	}
}

// TestMappingsAreReadInPlainWords gives files that are no mapping, names that nothing reads, and values of the wrong kind. No error names a type
// of Go.
func TestMappingsAreReadInPlainWords(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]string{
		"type,user,ts\nview,ada,2026-01-01T00:00:00Z\n": "this is no mapping",
		"":                         "this is no mapping",
		"- rows: events":           "this is no mapping",
		"rows: events\nfeilds: {}": `line 2: a mapping has no "feilds"; it has rows, file, fields, constants`,
		"rows: orders\nreturns:\n  negative_qty: refund": `line 3: returns has no "negative_qty"; it has prefix, negative_quantity, negative_price`,
		"rows: [events]":                                     "line 1: rows must be a text",
		"rows: events\nfields: type":                         "line 2: fields must be a list of names with a text for each",
		"rows: events\nfields: {type: [a]}":                  "line 2: fields must be a list of names with a text for each",
		"rows: events\nfile: csv":                            "line 2: file must be a list of settings",
		"rows: events\nfile: {lazy_quotes: perhaps}":         "line 2: file.lazy_quotes must be true or false",
		"rows: events\nfile: {header: a}":                    "line 2: file.header must be a list of texts",
		"rows: events\nrows: orders":                         `line 2: a mapping has "rows" twice`,
		"rows: \"events":                                     "this is no YAML",
		"rows: events\nfields: {type: a, ts: b}\nfile: null": "",
	} {
		_, err := mapping.Parse([]byte(config))
		if want == "" {
			if err != nil {
				t.Errorf("%q: %v", config, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "mapping.M") || strings.Contains(err.Error(), "mapping.R") || strings.Contains(err.Error(), "!!") || strings.Contains(err.Error(), "unmarshal") {
			t.Errorf("%q: %v, want %s", config, err, want)
		}
	}
}

// TestHelpListsTheFields names every field of each kind, and which are required.
func TestHelpListsTheFields(t *testing.T) {
	t.Parallel()
	for _, want := range []string{"  products  sku*, name, ", "  events    id, type*, ", "quantity*, unit_price", "  refunds   id, order, "} {
		if !strings.Contains(mapping.Help(), want) {
			t.Errorf("no %q in\n%s", want, mapping.Help())
		}
	}
}

func TestMissingColumns(t *testing.T) {
	t.Parallel()
	m, err := mapping.Parse([]byte(retail))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"Country", "UnitPrice"}, m.Missing([]string{"InvoiceNo", "StockCode", "Quantity", "InvoiceDate", "CustomerID", "x"})); diff != "" {
		t.Error(diff)
	}
}
