package product

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// The limits of a product's attributes.
const (
	maxAttributes      = 100      // members of the outermost object
	maxAttributesBytes = 16 << 10 // of the canonical form
	maxAttributesDepth = 8        // objects and arrays inside each other
	maxExponent        = 20       // of a number: jsonb stores all digits of 1e100000
)

// canonicalAttributes returns raw without white space and repeated members. Absent attributes become the empty object.
func canonicalAttributes(raw json.RawMessage) (json.RawMessage, *errs.Field) {
	if len(raw) == 0 {
		return json.RawMessage("{}"), nil
	}
	object, err := parseObject(raw)
	if err != nil {
		return nil, attributesProblem(wrongType, "must be a JSON object")
	}
	if len(object) > maxAttributes {
		return nil, attributesProblem(tooLong, fmt.Sprintf("must have at most %d members", maxAttributes))
	}
	if err := checkValue(object, 0); err != nil {
		return nil, attributesProblem(invalidValue, err.Error())
	}
	canonical, err := encode(object)
	if err != nil || len(canonical) > maxAttributesBytes {
		return nil, attributesProblem(tooLarge, fmt.Sprintf("must be at most %d bytes of JSON", maxAttributesBytes))
	}
	return canonical, nil
}

// sameAttributes compares what is stored, which Postgres writes in its own way, with canonical attributes.
func sameAttributes(stored, canonical json.RawMessage) bool {
	if bytes.Equal(stored, canonical) {
		return true
	}
	a, err := parseObject(stored)
	if err != nil {
		return false
	}
	b, err := parseObject(canonical)
	return err == nil && sameValue(a, b)
}

func sameValue(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && maps.EqualFunc(a, b, sameValue)
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, sameValue)
	case json.Number: // Postgres writes 1e3 as 1000
		b, ok := b.(json.Number)
		return ok && (a == b || sameNumber(a.String(), b.String()))
	default:
		return a == b
	}
}

// sameNumber compares literals that checkNumber has accepted, so their exponents are small.
func sameNumber(a, b string) bool {
	x, okX := new(big.Rat).SetString(a)
	y, okY := new(big.Rat).SetString(b)
	return okX && okY && x.Cmp(y) == 0
}

func attributesProblem(code, rule string) *errs.Field {
	return &errs.Field{Pointer: "/attributes", Code: code, Detail: "attributes " + rule + "."}
}

// parseObject decodes a JSON object and keeps its numbers as they are written.
func parseObject(raw []byte) (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		return nil, fmt.Errorf("decode an object: %w", err)
	}
	if object == nil {
		return nil, errors.New("decode an object: it is null")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("decode an object: something follows it")
	}
	return object, nil
}

// encode returns the JSON of object. It does not escape <, > and &, so that the size limit applies to what clients see.
func encode(object map[string]any) (json.RawMessage, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(object); err != nil {
		return nil, fmt.Errorf("encode an object: %w", err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// checkValue refuses JSON that jsonb cannot store, or stores at a much larger size. depth counts the objects and arrays
// around value.
func checkValue(value any, depth int) error {
	switch value := value.(type) {
	case map[string]any:
		return checkMembers(value, depth+1)
	case []any:
		return checkItems(value, depth+1)
	case string:
		return checkString(value)
	case json.Number:
		return checkNumber(value.String())
	default:
		return nil
	}
}

func checkMembers(object map[string]any, depth int) error {
	if depth > maxAttributesDepth {
		return errTooDeep
	}
	for name, member := range object {
		if err := checkString(name); err != nil {
			return err
		}
		if err := checkValue(member, depth); err != nil {
			return err
		}
	}
	return nil
}

func checkItems(array []any, depth int) error {
	if depth > maxAttributesDepth {
		return errTooDeep
	}
	for _, item := range array {
		if err := checkValue(item, depth); err != nil {
			return err
		}
	}
	return nil
}

var errTooDeep = fmt.Errorf("must not nest objects and arrays deeper than %d", maxAttributesDepth)

func checkString(s string) error {
	if strings.ContainsRune(s, 0) {
		return errors.New("must not contain the character NUL")
	}
	return nil
}

func checkNumber(literal string) error {
	i := strings.IndexAny(literal, "eE")
	if i < 0 {
		return nil
	}
	if exponent, err := strconv.Atoi(literal[i+1:]); err != nil || max(exponent, -exponent) > maxExponent {
		return fmt.Errorf("must not contain numbers with an exponent beyond %d", maxExponent)
	}
	return nil
}
