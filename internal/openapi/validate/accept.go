package validate

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
)

// accepts is a check of a parameter that is made once from its schema. It is right about what it accepts. What it does not accept
// goes to kin-openapi, which decides, and finds the words.
type accepts func(value string) bool

// prepare returns the check of a schema, or nil for one with a keyword that it does not know.
func prepare(s *openapi3.Schema) accepts {
	if !isSimple(s) {
		return nil
	}
	switch {
	case s.Type.Is(openapi3.TypeString):
		return prepareText(s)
	case s.Type.Is(openapi3.TypeInteger) && s.Pattern == "" && s.Enum == nil && (s.Format == "" || s.Format == "int64"):
		return prepareInteger(s)
	default:
		return nil
	}
}

// isSimple reports whether a schema has no keyword that checks values beside type, format, enum, and bounds.
func isSimple(s *openapi3.Schema) bool {
	composed := len(s.OneOf) + len(s.AnyOf) + len(s.AllOf)
	return composed == 0 && s.Not == nil && !s.UniqueItems && s.MultipleOf == nil && !s.ExclusiveMin.IsTrue() && !s.ExclusiveMax.IsTrue() &&
		s.Items == nil && len(s.Properties) == 0 && !s.Nullable && s.Type != nil
}

func prepareText(s *openapi3.Schema) accepts {
	var checks []accepts
	if s.MinLength > 0 || s.MaxLength != nil {
		checks = append(checks, func(value string) bool {
			n := uint64(utf8.RuneCountInString(value))
			// kin-openapi counts UTF-16 units, of which there are at most as many as bytes, and at least as many as characters.
			return n >= s.MinLength && (s.MaxLength == nil || uint64(len(value)) <= *s.MaxLength)
		})
	}
	if s.Pattern != "" {
		pattern, err := regexp.Compile(s.Pattern)
		if err != nil {
			return nil
		}
		checks = append(checks, pattern.MatchString)
	}
	if s.Enum != nil {
		checks = append(checks, func(value string) bool { return slices.Contains(s.Enum, any(value)) })
	}
	switch s.Format {
	case "":
	case "uuid":
		checks = append(checks, contract.IsUUID)
	case "date":
		checks = append(checks, func(value string) bool {
			_, err := time.Parse(time.DateOnly, value)
			return err == nil
		})
	default:
		return nil
	}
	return func(value string) bool {
		return value != "" && !slices.ContainsFunc(checks, func(check accepts) bool { return !check(value) })
	}
}

func prepareInteger(s *openapi3.Schema) accepts {
	return func(value string) bool {
		n, err := strconv.ParseInt(value, 10, 32) // so that a float64 has it exactly
		return err == nil && value[0] != '+' && (s.Min == nil || float64(n) >= *s.Min) && (s.Max == nil || float64(n) <= *s.Max)
	}
}

// isText reports whether a value is text that can be stored.
func isText(value string) bool { return utf8.ValidString(value) && strings.IndexByte(value, 0) < 0 }

// HeadersFit reports whether the parameters in the header are valid. It may be false for some that are: Check decides.
func (v *Validator) HeadersFit(header http.Header) bool {
	for _, p := range v.headers {
		values := header[p.canonical]
		if len(values) == 0 && !p.spec.Required {
			continue
		}
		if len(values) != 1 || p.accepts == nil || !isText(values[0]) || !p.accepts(values[0]) {
			return false
		}
	}
	return true
}
