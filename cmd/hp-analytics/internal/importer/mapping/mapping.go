// Package mapping says what the rows of a file are: products, events, orders or refunds, and which of their columns is which
// field. It makes facts of rows and knows neither the files nor the platform.
package mapping

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer/source"
	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/internal/money"
)

// Kind is what a row is.
type Kind string

// The kinds. A row of Orders can also be a return, which is a fact of kind Refunds.
const (
	Products Kind = "products"
	Events   Kind = "events"
	Orders   Kind = "orders"
	Refunds  Kind = "refunds"
)

// KeepFirst is the RepeatedSKU of files that say something about products in many rows.
const KeepFirst = "first"

// What becomes of a row.
const (
	refuse    = "refuse"
	refund    = "refund"
	anonymous = "anonymous"
	halfUp    = "half_up"
)

// The fields of the kinds. Their texts are the keys of Mapping.Fields and Mapping.Constants.
const (
	fieldID          = "id"
	fieldOrder       = "order"
	fieldType        = "type"
	fieldUser        = "user_id"
	fieldAnonymous   = "anonymous_id"
	fieldSKU         = "sku"
	fieldTS          = "ts"
	fieldQuantity    = "quantity"
	fieldUnitPrice   = "unit_price"
	fieldAmount      = "amount"
	fieldAmountMinor = "amount_minor"
	fieldCurrency    = "currency"
	fieldReason      = "reason"
	fieldName        = "name"
	fieldDescription = "description"
	fieldCategory    = "category"
	fieldStatus      = "status"
	fieldPrice       = "price"
	fieldPriceMinor  = "price_minor"
)

// fields are the fields that each kind has.
var fields = map[Kind][]string{
	Products: {fieldSKU, fieldName, fieldDescription, fieldCategory, fieldStatus, fieldPrice, fieldPriceMinor, fieldCurrency},
	Events:   {fieldID, fieldType, fieldUser, fieldAnonymous, fieldSKU, fieldTS},
	Orders: {
		fieldOrder, fieldUser, fieldAnonymous, fieldSKU, fieldTS, fieldQuantity, fieldUnitPrice, fieldAmount, fieldAmountMinor, fieldCurrency,
	},
	Refunds: {
		fieldID, fieldOrder, fieldUser, fieldAnonymous, fieldSKU, fieldTS, fieldQuantity, fieldUnitPrice, fieldAmount, fieldAmountMinor,
		fieldCurrency, fieldReason,
	},
}

// required are the fields that no mapping of a kind may leave out.
var required = map[Kind][]string{
	Products: {fieldSKU}, Events: {fieldType, fieldTS}, Orders: {fieldSKU, fieldTS, fieldQuantity}, Refunds: {fieldTS},
}

// Mapping is a mapping file.
type Mapping struct {
	Rows Kind          `yaml:"rows"`
	File source.Format `yaml:"file"`
	// Fields has the column of each field, and Constants the value of each that is the same in all rows. A column is used
	// where the row has a value in it.
	Fields    map[string]string `yaml:"fields"`
	Constants map[string]string `yaml:"constants"`
	// Properties has the column of each property (of products: attribute). PropertiesFrom is a column with a JSON object of
	// further ones.
	Properties     map[string]string `yaml:"properties"`
	PropertiesFrom string            `yaml:"properties_from"`
	TimeLayout     string            `yaml:"time_layout"`  // rfc3339, unix, unix_ms, or a layout of Go's package time
	TimeZone       string            `yaml:"time_zone"`    // of times that do not say theirs
	Decimal        string            `yaml:"decimal"`      // between the whole and its fraction: . or ,
	Thousands      string            `yaml:"thousands"`    // between groups of digits; none if it is empty
	Rounding       string            `yaml:"rounding"`     // refuse or half_up, for amounts between two minor units
	MissingUser    string            `yaml:"missing_user"` // refuse, or anonymous: the order gets a user of its own
	RepeatedSKU    string            `yaml:"repeated_sku"` // of products that have other content than an earlier row: refuse, or first
	Returns        Returns           `yaml:"returns"`

	zone   *time.Location
	layout string
}

// Returns says how returns look.
type Returns struct {
	Prefix           string `yaml:"prefix"` // of the order number
	NegativeQuantity string `yaml:"negative_quantity"`
	NegativePrice    string `yaml:"negative_price"`
}

// Parse reads a mapping file: YAML, of which JSON is a part.
func Parse(text []byte) (*Mapping, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("this is no YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := checkKeys(&document); err != nil {
		return nil, err
	}
	var m Mapping
	if err := document.Decode(&m); err != nil {
		return nil, fmt.Errorf("this cannot be read: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	return &m, m.prepare()
}

// Help lists the fields of each kind, one kind a line. Required ones have a star.
func Help() string {
	var text strings.Builder
	for _, kind := range []Kind{Products, Events, Orders, Refunds} {
		names := slices.Clone(fields[kind])
		for i, name := range names {
			if slices.Contains(required[kind], name) {
				names[i] += "*"
			}
		}
		_, _ = fmt.Fprintf(&text, "  %-10s%s\n", kind, strings.Join(names, ", ")) // a builder takes everything
	}
	return text.String()
}

func (m *Mapping) prepare() error {
	problems := []error{m.File.Validate(), m.checkFields(), m.checkChoices(), m.checkTimes(), m.checkMoney()}
	return errors.Join(problems...)
}

func (m *Mapping) checkFields() error {
	known, ok := fields[m.Rows]
	if !ok {
		return fmt.Errorf("rows must be products, events, orders or refunds, not %q", m.Rows)
	}
	var problems []error
	for _, given := range []map[string]string{m.Fields, m.Constants} {
		for _, name := range slices.Sorted(maps.Keys(given)) {
			if !slices.Contains(known, name) {
				problems = append(problems, fmt.Errorf("%s have no field %q; they have %s", m.Rows, name, strings.Join(known, ", ")))
			}
		}
	}
	for _, name := range required[m.Rows] {
		if !m.has(name) {
			problems = append(problems, fmt.Errorf("%s need the field %s, from a column or a constant", m.Rows, name))
		}
	}
	return errors.Join(problems...)
}

// has reports whether a field has a column or a constant.
func (m *Mapping) has(field string) bool { return m.Fields[field] != "" || m.Constants[field] != "" }

func (m *Mapping) checkChoices() error {
	var problems []error
	choose := func(name string, value *string, choices ...string) {
		if *value == "" {
			*value = choices[0]
		}
		if !slices.Contains(choices, *value) {
			problems = append(problems, fmt.Errorf("%s must be %s, not %q", name, strings.Join(choices, " or "), *value))
		}
	}
	choose("rounding", &m.Rounding, refuse, halfUp)
	choose("missing_user", &m.MissingUser, refuse, anonymous)
	choose("repeated_sku", &m.RepeatedSKU, refuse, KeepFirst)
	choose("returns.negative_quantity", &m.Returns.NegativeQuantity, refuse, refund)
	choose("returns.negative_price", &m.Returns.NegativePrice, refuse, refund)
	choose("decimal", &m.Decimal, ".", ",")
	if m.Thousands != "" {
		choose("thousands", &m.Thousands, ",", ".", " ", "'", "\u00a0", "\u202f")
		if m.Thousands == m.Decimal {
			problems = append(problems, errors.New("decimal and thousands must be different"))
		}
	}
	if m.Returns != (Returns{NegativeQuantity: refuse, NegativePrice: refuse}) && m.Rows != Orders {
		problems = append(problems, errors.New("only orders have returns"))
	}
	return errors.Join(problems...)
}

func (m *Mapping) checkTimes() (err error) {
	switch m.TimeLayout {
	case "", "rfc3339":
		m.layout = time.RFC3339Nano
	default:
		m.layout = m.TimeLayout
	}
	m.zone = time.UTC
	if m.TimeZone != "" {
		if m.zone, err = localtime.Load(m.TimeZone); err != nil {
			return fmt.Errorf("time_zone: %w", err)
		}
	} else if m.has(fieldTS) && !m.layoutHasZone() {
		return errors.New("time_zone is required, because times of this time_layout do not say theirs")
	}
	return nil
}

func (m *Mapping) layoutHasZone() bool {
	return m.layout == layoutUnix || m.layout == layoutUnixMilli || strings.Contains(m.layout, "Z07") || strings.Contains(m.layout, "-07")
}

func (m *Mapping) checkMoney() error {
	given := 0
	for _, name := range []string{fieldUnitPrice, fieldAmount, fieldAmountMinor, fieldPrice, fieldPriceMinor} {
		if m.has(name) {
			given++
		}
	}
	switch {
	case m.Rows == Orders && given != 1:
		return errors.New("orders need one of the fields unit_price, amount and amount_minor")
	case given > 1:
		return errors.New("only one of the fields unit_price, amount, amount_minor, price and price_minor can be given")
	case m.Rows == Orders && !m.has(fieldCurrency), given > 0 && !m.has(fieldCurrency):
		return errors.New("amounts need the field currency, from a column or a constant")
	case m.has(fieldUnitPrice) && !m.has(fieldQuantity):
		return errors.New("unit_price needs the field quantity")
	}
	if code := m.Constants[fieldCurrency]; code != "" {
		if _, err := money.Parse(code); err != nil {
			return fmt.Errorf("currency %w", err)
		}
	}
	return nil
}

// Missing returns the columns of the mapping that a CSV file does not have.
func (m *Mapping) Missing(header []string) []string {
	missing := map[string]struct{}{}
	for _, columns := range []map[string]string{m.Fields, m.Properties, {"": m.PropertiesFrom}} {
		for _, column := range columns {
			if column != "" && !slices.Contains(header, column) {
				missing[column] = struct{}{}
			}
		}
	}
	return slices.Sorted(maps.Keys(missing))
}
