package apifuzz

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"
)

// value returns a valid value of a schema. name is that of the member or parameter: some have a meaning that no schema tells.
func (m *maker) value(name string, s *openapi3.Schema) any {
	if v, ok := m.meant(name, s); ok {
		return v
	}
	switch {
	case len(s.Enum) > 0:
		return s.Enum[m.IntN(len(s.Enum))]
	case s.Type.Is(openapi3.TypeObject):
		return m.object(s)
	case s.Type.Is(openapi3.TypeArray):
		return m.array(name, s)
	case s.Type.Is(openapi3.TypeInteger):
		return m.integer(s)
	case s.Type.Is(openapi3.TypeNumber):
		return float64(m.integer(s))
	case s.Type.Is(openapi3.TypeBoolean):
		return m.IntN(2) == 0
	case s.Type.Is(openapi3.TypeString):
		return m.text(s)
	default: // anything
		return m.free(2)
	}
}

// meant returns a value for a name that means more than its schema says.
func (m *maker) meant(name string, s *openapi3.Schema) (any, bool) {
	pooled := func(collection string) (any, bool) {
		value, ok := m.pool.any(m.Rand, collection)
		return value, ok && m.IntN(10) > 0
	}
	switch name {
	case "sku":
		if m.operation.ID != "createProduct" {
			return pooled("sku")
		}
	case "product_id":
		return pooled("/products")
	case "currency", "time_zone":
		return map[string][]string{"currency": {"EUR", "USD", "JPY"}, "time_zone": {"UTC", "Asia/Kolkata", "America/New_York"}}[name][m.IntN(3)], true
	case "user_id", "anonymous_id":
		return fmt.Sprintf("%s-%d", name, m.IntN(50)), s.MaxLength != nil
	case "email":
		if m.operation.ID == "login" {
			return pooled(Emails)
		}
		return fmt.Sprintf("fuzz-%d@example.com", m.Uint32()), true
	case "password", "new_password":
		return Passwords[m.IntN(len(Passwords))], true
	case "refresh_token": // using it twice ends the login
		return m.pool.take(m.Rand, RefreshTokens)
	case "invitation":
		return pooled(Invitations)
	case "type":
		return fmt.Sprintf("type-%d", m.IntN(30)), len(s.Enum) == 0
	case "slug":
		return fmt.Sprintf("fuzz-%d", m.Uint32()), true
	case "expires_at":
		return m.moment(time.Duration(m.IntN(1000)) * time.Hour), true
	}
	return nil, false
}

// text returns a string of the length, format and pattern that a schema wants.
func (m *maker) text(s *openapi3.Schema) string {
	switch s.Format {
	case "uuid":
		return uuid.NewString()
	case "date":
		return time.Now().UTC().AddDate(0, 0, -m.IntN(20)).Format(time.DateOnly)
	case "date-time":
		return m.moment(-time.Duration(m.IntN(48)) * time.Hour)
	case "email":
		return fmt.Sprintf("fuzz-%d@example.com", m.Uint32())
	}
	if example, ok := s.Example.(string); ok && s.Pattern != "" {
		return example
	}
	longest := uint64(30)
	if s.MaxLength != nil {
		longest = min(longest, *s.MaxLength)
	}
	length := s.MinLength + uint64(m.IntN(int(max(longest, s.MinLength)-s.MinLength)+1))
	return m.characters(int(length))
}

// moment returns a time some time from now.
func (m *maker) moment(from time.Duration) string {
	return time.Now().Add(from).UTC().Format(time.RFC3339)
}

// characters returns a text of a length, sometimes of characters outside ASCII. It neither begins nor ends with a space.
func (m *maker) characters(length int) string {
	alphabet := []rune("abcdefghijklmnopqrstuvwxyz0123456789-_")
	if m.IntN(10) == 0 {
		alphabet = []rune("äßçλжあ漢😀 'a\"b\\%<&")
	}
	text := make([]rune, length)
	for i := range text {
		text[i] = alphabet[m.IntN(len(alphabet))]
		if i == 0 || i == length-1 {
			text[i] = 'x'
		}
	}
	return string(text)
}

// integer returns a number that is small most of the time, and the least or largest sometimes.
func (m *maker) integer(s *openapi3.Schema) int64 {
	least, most := int64(0), int64(1000)
	if s.Min != nil {
		least = int64(*s.Min)
	}
	if s.Max != nil {
		most = int64(*s.Max)
	}
	switch m.IntN(20) {
	case 0:
		return least
	case 1:
		return most
	default:
		return least + m.Int64N(min(most-least, 1000)+1)
	}
}

// object returns an object with its required members and some of the others. Of two members that name the same in different ways,
// it has one.
func (m *maker) object(s *openapi3.Schema) any {
	object := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		if slices.Contains(s.Required, name) || m.IntN(3) == 0 {
			object[name] = m.value(name, s.Properties[name].Value)
		}
	}
	m.nameProduct(s, object)
	if only := s.AdditionalProperties.Schema; only != nil { // prices by currency
		object["CHF"] = m.value("", only.Value)
	} else if len(s.Properties) == 0 {
		for range m.IntN(4) {
			object["free-"+m.characters(3)] = m.free(2)
		}
	}
	return object
}

// nameProduct leaves one name of a product, if the object needs one: its SKU or its id, or the line of an order.
func (m *maker) nameProduct(s *openapi3.Schema, object map[string]any) {
	_, byID := s.Properties["product_id"]
	_, bySKU := s.Properties["sku"]
	if !byID || !bySKU {
		return
	}
	delete(object, "product_id")
	delete(object, "line")
	if m.IntN(2) == 0 {
		delete(object, "sku")
		object["product_id"] = m.value("product_id", s.Properties["product_id"].Value)
		return
	}
	object["sku"] = m.value("sku", s.Properties["sku"].Value)
}

func (m *maker) array(name string, s *openapi3.Schema) any {
	length := int(s.MinItems) + m.IntN(3)
	if s.MaxItems != nil {
		length = min(length, int(*s.MaxItems))
	}
	items := []any{}
	for range length {
		item := m.value(strings.TrimSuffix(name, "s"), s.Items.Value)
		if s.UniqueItems && slices.ContainsFunc(items, func(other any) bool { return other == item }) {
			continue
		}
		items = append(items, item)
	}
	return items
}

// free returns any JSON value, with so many levels at most.
func (m *maker) free(levels int) any {
	switch m.IntN(6) {
	case 0:
		return m.IntN(1000) - 500
	case 1:
		return m.IntN(2) == 0
	case 2:
		if levels > 0 {
			return []any{m.free(levels - 1), m.free(levels - 1)}
		}
	case 3:
		if levels > 0 {
			return map[string]any{"a" + m.characters(3): m.free(levels - 1)}
		}
	case 4:
		return float64(m.IntN(1000)) / 8
	}
	return m.characters(m.IntN(20))
}
