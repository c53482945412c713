package validate

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"

	"github.com/hp-analytics/hp-analytics/internal/openapi/strictjson"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// codesExtension is the extension of a schema that replaces the code for a violated keyword:
// {minLength: password_too_short}.
const codesExtension = "x-error-codes"

// patternExtension is the extension of a schema with the sentence for a violated pattern: people cannot read regular expressions.
const patternExtension = "x-pattern-means"

// maxPointer bounds the pointers in an answer, because their parts are names chosen by the client.
const maxPointer = 1024

func newField(pointer, code, detail string) errs.Field {
	if len(pointer) > maxPointer {
		pointer = strings.ToValidUTF8(pointer[:maxPointer], "")
	}
	return errs.Field{Pointer: pointer, Code: code, Detail: detail}
}

// fieldsOf translates an error of kin-openapi about the value at pointer, which was checked against schema.
func fieldsOf(pointer string, schema *openapi3.Schema, err error) []errs.Field {
	t := translation{root: pointer}
	t.add(schema, err)
	return t.fields
}

type translation struct {
	root   string
	fields []errs.Field
}

func (t *translation) add(schema *openapi3.Schema, err error) {
	switch e := err.(type) { //nolint:errorlint // kin-openapi nests these types; errors.As would skip siblings
	case openapi3.MultiError:
		for _, each := range e {
			if t.full() {
				return
			}
			t.add(schema, each)
		}
	case *openapi3filter.RequestError:
		t.add(schema, e.Err)
	case *openapi3filter.ParseError:
		t.append(t.root, "wrong_type", typeDetail(schema))
	case *openapi3.SchemaError:
		t.addSchemaError(e)
	default:
		if errors.Is(err, openapi3filter.ErrInvalidEmptyValue) {
			t.append(t.root, "invalid_value", "Must not be empty.")
			return
		}
		t.append(t.root, "invalid_value", "Is not acceptable.")
	}
}

// full reports whether there are more problems than an answer lists.
func (t *translation) full() bool { return len(t.fields) > maxFields }

func (t *translation) append(pointer, code, detail string) {
	t.fields = append(t.fields, newField(pointer, code, detail))
}

func (t *translation) addSchemaError(e *openapi3.SchemaError) {
	var pointer strings.Builder
	pointer.WriteString(t.root)
	for _, part := range e.JSONPointer() {
		pointer.WriteString("/" + strictjson.Escape(part))
	}
	code, detail := describe(e)
	if codes, ok := e.Schema.Extensions[codesExtension].(map[string]any); ok {
		if own, ok := codes[e.SchemaField].(string); ok {
			code = own
		}
	}
	t.append(pointer.String(), code, detail)
}

// describe returns the code and a sentence for a violated keyword. The sentence depends on the schema only, so it cannot
// repeat a value of the request.
func describe(e *openapi3.SchemaError) (code, detail string) {
	s := e.Schema
	switch e.SchemaField {
	case "type", "nullable":
		return "wrong_type", typeDetail(s)
	case "required":
		return "required", "Must be given."
	case "enum":
		if _, isString := e.Value.(string); !isString {
			return "wrong_type", typeDetail(s)
		}
		allowed, _ := json.Marshal(s.Enum) // cannot fail: it was parsed from JSON
		return "invalid_enum", "Must be one of " + string(allowed) + "."
	case "minLength":
		return "too_short", fmt.Sprintf("Must have at least %s.", plural(s.MinLength, "character"))
	case "maxLength":
		return "too_long", fmt.Sprintf("Must have at most %s.", plural(*s.MaxLength, "character"))
	case "minItems":
		return "too_short", fmt.Sprintf("Must have at least %s.", plural(s.MinItems, "item"))
	case "maxProperties":
		return "too_long", fmt.Sprintf("Must have at most %s.", plural(*s.MaxProps, "member"))
	case "minimum":
		return "too_small", fmt.Sprintf("Must be at least %.0f.", *s.Min)
	case "maximum":
		return "too_large", fmt.Sprintf("Must be at most %.0f.", *s.Max)
	case "uniqueItems":
		return "duplicate_item", "Must not have equal items."
	case "format":
		return "invalid_format", formatDetail(s.Format)
	case "pattern":
		means, _ := s.Extensions[patternExtension].(string) // a test of the contract demands it
		return "invalid_format", means
	default:
		return "invalid_value", "Is not acceptable."
	}
}

func plural(n uint64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func typeDetail(s *openapi3.Schema) string {
	detail := "Must be of another type."
	switch {
	case s.Type.Is(openapi3.TypeArray), s.Type.Is(openapi3.TypeObject), s.Type.Is(openapi3.TypeInteger):
		detail = "Must be an " + s.Type.Slice()[0] + "."
	case s.Type.IsSingle():
		detail = "Must be a " + s.Type.Slice()[0] + "."
	}
	if s.Nullable {
		detail = strings.TrimSuffix(detail, ".") + " or null."
	}
	return detail
}

func formatDetail(format string) string {
	switch format {
	case "email":
		return "Must be an e-mail address, like ada@example.com."
	case "uuid":
		return "Must be a UUID, like 0195a3f2-7c1e-7b3a-9d54-2f6b1c8e4a10."
	case "date":
		return "Must be a day, like 2026-03-14."
	case "date-time":
		return "Must be a time (RFC 3339), like 2026-03-14T09:26:53Z."
	default:
		return "Must have the format " + format + "."
	}
}
