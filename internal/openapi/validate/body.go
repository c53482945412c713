package validate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
	"github.com/hp-analytics/hp-analytics/internal/openapi/strictjson"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

const jsonType = "application/json"

// byteOrderMark is skipped, as RFC 8259 (section 8.1) allows: some editors and spreadsheets write it.
var byteOrderMark = []byte("\ufeff")

var bodyOptions = append(contract.Formats(), openapi3.VisitAsRequest(), openapi3.MultiErrors())

// body is what the contract says about the body of an operation.
type body struct {
	content map[string]content // by media type
	names   string             // the media types, for people
	limit   int64
	patch   bool // null removes a member
}

// content is what a body of one media type holds.
type content struct {
	schema *openapi3.Schema
	items  string // see itemsOf
}

func newBody(spec *openapi3.RequestBody, method string) *body {
	b := &body{
		patch:   method == http.MethodPatch,
		content: map[string]content{},
		names:   strings.Join(slices.Sorted(maps.Keys(spec.Content)), " or "),
		limit:   contract.MaxBody(spec),
	}
	for name, media := range spec.Content {
		b.content[name] = content{schema: media.Schema.Value, items: itemsOf(media.Schema.Value)}
	}
	return b
}

// itemsOf returns the member of a body whose items the handler judges one by one, so that a bad item does not fail the
// others: the contract allows anything there (anyOf). It is empty if there is none.
func itemsOf(schema *openapi3.Schema) string {
	for name, member := range schema.Properties {
		if items := member.Value.Items; items != nil && len(items.Value.AnyOf) > 0 {
			return name
		}
	}
	return ""
}

// check reads the body, leaves it to be read again, and returns its value and its problems.
func (b *body) check(w http.ResponseWriter, r *http.Request) (any, []errs.Field, error) {
	content, err := b.contentOf(r)
	if err != nil {
		return nil, nil, err
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, b.limit))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, nil, err
		}
		return nil, nil, errs.New(errs.Malformed, "unreadable_body", "The body could not be read to its end.").Because(err)
	}
	data = bytes.TrimPrefix(data, byteOrderMark)
	r.Body = io.NopCloser(bytes.NewReader(data))
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, nil, errs.New(errs.Malformed, "body_required", "This request needs a JSON body.")
	}
	var value any
	if content.items != "" {
		value, err = strictjson.ParseEnvelope(data, content.items)
	} else {
		value, err = strictjson.Parse(data)
	}
	if err != nil {
		return nil, nil, err
	}
	return value, b.checkValue(content.schema, value), nil
}

// contentOf returns the content of the body's media type. A body without a Content-Type is JSON.
func (b *body) contentOf(r *http.Request) (content, error) {
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return content{}, errs.New(errs.UnsupportedMedia, "unsupported_encoding", "Send this body without a Content-Encoding.")
	}
	name, charset := jsonType, ""
	if header := r.Header.Get("Content-Type"); header != "" && header != jsonType {
		parsed, params, err := mime.ParseMediaType(header)
		if err != nil {
			return content{}, b.unsupported().Because(err)
		}
		name, charset = parsed, params["charset"]
	}
	found, known := b.content[name]
	if !known || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return content{}, b.unsupported()
	}
	return found, nil
}

func (b *body) unsupported() *errs.Error {
	return errs.New(errs.UnsupportedMedia, "unsupported_media_type", fmt.Sprintf("Send %s in UTF-8.", b.names))
}

// checkValue returns the problems of a parsed body, up to one more than an answer lists. It removes members that are
// unknown, and nulls that mean absent, from value.
func (b *body) checkValue(schema *openapi3.Schema, value any) []errs.Field {
	p := preparation{patch: b.patch}
	p.value(nil, schema, value)
	fields := p.unknown
	if !p.full() && !p.tooLong {
		if err := schema.VisitJSON(value, bodyOptions...); err != nil {
			fields = append(fields, fieldsOf("", schema, err)...)
		}
	}
	return append(fields, p.unstored...)
}
