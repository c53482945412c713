package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/hp-analytics/hp-analytics/internal/openapi/strictjson"
	"github.com/hp-analytics/hp-analytics/internal/platform/body"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// maxItems is how many products a bulk request has at most.
const maxItems = 1000

// maxUnknown bounds how many unknown members of a document the answer lists.
const maxUnknown = 100

// byteOrderMark is skipped, as RFC 8259 (section 8.1) allows: some editors and spreadsheets write it.
var byteOrderMark = []byte("\ufeff")

// itemsOf returns the products of a bulk request, which share the memory of data. An error concerns the request as a whole.
func itemsOf(data []byte, format body.Format) ([]json.RawMessage, error) {
	data = bytes.TrimPrefix(data, byteOrderMark)
	items := lines(data)
	if format == body.JSON {
		var err error
		if items, err = elements(data); err != nil {
			return nil, err
		}
	}
	switch {
	case len(items) == 0:
		return nil, shapeError(errs.Field{Pointer: "/products", Code: "too_short", Detail: "Must have at least 1 item."})
	case len(items) > maxItems:
		return nil, shapeError(errs.Field{Pointer: "/products", Code: "too_long", Detail: fmt.Sprintf("Must have at most %d items.", maxItems)})
	}
	return items, nil
}

// lines returns the lines of NDJSON that are not blank, one more than there may be at most. The last one may lack a line break.
func lines(data []byte) (items []json.RawMessage) {
	for line := range bytes.Lines(data) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			items = append(items, line)
		}
		if len(items) > maxItems {
			break
		}
	}
	return items
}

// elements returns the items of the document {"products": […]}.
func elements(data []byte) ([]json.RawMessage, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, errs.New(errs.Malformed, "body_required", "This request needs a body.")
	}
	value, err := strictjson.ParseEnvelope(data, "products")
	if err != nil {
		return nil, err
	}
	document, ok := value.(map[string]any)
	if !ok {
		return nil, shapeError(errs.Field{Code: "wrong_type", Detail: "Must be an object."})
	}
	var found []errs.Field
	for _, name := range slices.Sorted(maps.Keys(document)) {
		if name != "products" && len(found) < maxUnknown {
			found = append(found, errs.Field{Pointer: "/" + strictjson.Escape(name), Code: "unknown_field", Detail: "There is no such field."})
		}
	}
	products, given := document["products"]
	items, ok := products.([]json.RawMessage)
	switch {
	case !given:
		found = append(found, errs.Field{Pointer: "/products", Code: "required", Detail: "Must be given."})
	case !ok:
		found = append(found, errs.Field{Pointer: "/products", Code: "wrong_type", Detail: "Must be an array."})
	}
	if len(found) > 0 {
		return nil, shapeError(found...)
	}
	return items, nil
}

func shapeError(fields ...errs.Field) error {
	return errs.New(errs.Invalid, "validation_failed", "The request does not fit; errors says where and why.", fields...)
}
