package mapping

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer/source"
	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/internal/money"
	"github.com/hp-analytics/hp-analytics/internal/platform/jsonerr"
)

// Fact is what a row says.
type Fact struct {
	Kind Kind
	// Number is the order number, or the id of an event or refund; empty if the row has none.
	Number      string
	UserID      string
	AnonymousID string
	// NoUser says that the row names no user and its order becomes an anonymous one.
	NoUser      bool
	TS          time.Time
	Day         localtime.Day // of TS in the time zone of the mapping
	SKU         string
	Units       int64
	Currency    string
	AmountMinor *int64 // of a refund: nil for what the units had cost
	// Order is the order that a refund belongs to; empty if it names none.
	Order      string
	Reason     string
	Type       string
	Product    Product
	Properties map[string]json.RawMessage
}

// Product has the fields of a product beside its SKU. A nil field is not in the row.
type Product struct {
	Name, Description, Category, Status *string
	PriceMinor                          *int64
}

// Fact reads a row.
func (m *Mapping) Fact(row *source.Row) (Fact, error) {
	f := Fact{Kind: m.Rows}
	r := reader{m, row}
	var err error
	switch m.Rows {
	case Products:
		err = r.product(&f)
	case Events:
		err = r.event(&f)
	case Orders:
		err = r.order(&f)
	default:
		err = r.refund(&f)
	}
	if err == nil {
		err = r.properties(&f)
	}
	return f, err
}

// reader reads the fields of a row.
type reader struct {
	*Mapping

	row *source.Row
}

// get returns the value of a field: that of its column, or else its constant, or else nothing.
func (r reader) get(field string) string {
	if column := r.Fields[field]; column != "" {
		if text, ok := r.row.Get(column); ok {
			return text
		}
	}
	return r.Constants[field]
}

// need is get for a field that no row may miss.
func (r reader) need(field string) (string, error) {
	text := r.get(field)
	if text == "" {
		return "", fmt.Errorf("%s is missing", field)
	}
	return text, nil
}

func (r reader) optional(field string) *string {
	if text := r.get(field); text != "" {
		return &text
	}
	return nil
}

func (r reader) product(f *Fact) (err error) {
	if f.SKU, err = r.need(fieldSKU); err != nil {
		return err
	}
	f.Product = Product{
		Name: r.optional(fieldName), Description: r.optional(fieldDescription), Category: r.optional(fieldCategory), Status: r.optional(fieldStatus),
	}
	if r.has(fieldName) {
		name := f.SKU // a new product needs a name
		if f.Product.Name != nil {
			name = strings.Join(strings.Fields(*f.Product.Name), " ") // a name has no line breaks
		}
		f.Product.Name = &name
	}
	price := r.get(fieldPrice) + r.get(fieldPriceMinor) // one of them is mapped
	if price == "" {
		f.Currency = r.get(fieldCurrency)
		return nil
	}
	currency, err := r.currency()
	if err != nil {
		return err
	}
	f.Currency = currency.String()
	minor, err := r.minor(fieldPrice, fieldPriceMinor, currency, 1)
	if err == nil && minor < 0 {
		err = errors.New("price is negative")
	}
	f.Product.PriceMinor = &minor
	return err
}

func (r reader) event(f *Fact) (err error) {
	if f.Type, err = r.need(fieldType); err != nil {
		return err
	}
	f.Number, f.SKU = r.get(fieldID), r.get(fieldSKU)
	return r.who(f)
}

// who reads the user and the time.
func (r reader) who(f *Fact) (err error) {
	f.UserID, f.AnonymousID = r.get(fieldUser), r.get(fieldAnonymous)
	if f.UserID == "" && f.AnonymousID == "" {
		if r.MissingUser == refuse {
			return errors.New("user_id is missing")
		}
		f.NoUser = true
	}
	f.TS, err = r.time()
	f.Day = localtime.DayOf(f.TS, r.zone)
	return err
}

func (r reader) properties(f *Fact) error {
	f.Properties = map[string]json.RawMessage{}
	if r.PropertiesFrom != "" {
		if raw, ok := r.row.JSON(r.PropertiesFrom); ok {
			var text string
			if json.Unmarshal(raw, &text) == nil { // CSV has the object as a text
				raw = json.RawMessage(text)
			}
			if err := json.Unmarshal(raw, &f.Properties); err != nil {
				return fmt.Errorf("%s is no JSON object: %w", r.PropertiesFrom, jsonerr.Explain(err))
			}
		}
	}
	for name, column := range r.Properties {
		if raw, ok := r.row.JSON(column); ok {
			f.Properties[name] = raw
		}
	}
	if len(f.Properties) == 0 {
		f.Properties = nil
	}
	return nil
}

func (r reader) currency() (money.Currency, error) {
	code, err := r.need(fieldCurrency)
	if err != nil {
		return money.Currency{}, err
	}
	currency, err := money.Parse(code)
	if err != nil {
		return money.Currency{}, fmt.Errorf("currency %w", err)
	}
	return currency, nil
}

// minor reads an amount: a decimal one, multiplied by n, or one in minor units.
func (r reader) minor(decimal, minorUnits string, currency money.Currency, n int64) (int64, error) {
	if !r.has(decimal) {
		text, err := r.need(minorUnits)
		if err != nil {
			return 0, err
		}
		minor, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s must be an integer, not %q", minorUnits, text)
		}
		return minor, nil
	}
	text, err := r.need(decimal)
	if err != nil {
		return 0, err
	}
	d, err := money.ParseDecimal(r.plain(text))
	if err != nil {
		return 0, fmt.Errorf("%s %w, not %q", decimal, err, text)
	}
	minor, err := d.Times(n).Minor(currency)
	if errors.Is(err, money.ErrNotExact) && r.Rounding == halfUp {
		err = nil
	}
	if err != nil {
		return 0, fmt.Errorf("the amount %w: %s %q, %d times", err, decimal, text, n)
	}
	return minor, nil
}

// plain writes a number with a point and without separators of thousands. A text with a point that is no decimal point stays
// one that is no number.
func (r reader) plain(text string) string {
	if r.Thousands != "" {
		text = strings.ReplaceAll(text, r.Thousands, "")
	}
	if r.Decimal == "," {
		if strings.Contains(text, ".") {
			return "." + text + "."
		}
		text = strings.Replace(text, ",", ".", 1)
	}
	return text
}
