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
	content map[string]*openapi3.Schema // by media type
	names   string                      // the media types, for people
	limit   int64
	patch   bool // null removes a member
}

func newBody(spec *openapi3.RequestBody, method string) *body {
	b := &body{
		patch:   method == http.MethodPatch,
		content: map[string]*openapi3.Schema{},
		names:   strings.Join(slices.Sorted(maps.Keys(spec.Content)), " or "),
		limit:   contract.MaxBody(spec),
	}
	for name, media := range spec.Content {
		b.content[name] = media.Schema.Value
	}
	return b
}

// check reads the body, leaves it to be read again, and returns its value and its problems.
func (b *body) check(w http.ResponseWriter, r *http.Request) (any, []errs.Field, error) {
	schema, err := b.schemaOf(r)
	if err != nil {
		return nil, nil, err
	}
	if r.ContentLength > b.limit { // else the client would be asked to send it, or waited for
		return nil, nil, &http.MaxBytesError{Limit: b.limit}
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, b.limit))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok || errs.Is(err, errs.Unavailable) {
			return nil, nil, err
		}
		return nil, nil, errs.New(errs.Malformed, "unreadable_body", "The body could not be read to its end.").Because(err)
	}
	data = bytes.TrimPrefix(data, byteOrderMark)
	r.Body = io.NopCloser(bytes.NewReader(data))
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, nil, errs.New(errs.Malformed, "body_required", "This request needs a JSON body.")
	}
	value, err := strictjson.Parse(data)
	if err != nil {
		return nil, nil, err
	}
	return value, b.checkValue(schema, value), nil
}

// schemaOf returns the schema of the body's media type. A body without a Content-Type is JSON.
func (b *body) schemaOf(r *http.Request) (*openapi3.Schema, error) {
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return nil, errs.New(errs.UnsupportedMedia, "unsupported_encoding", "Send this body without a Content-Encoding.")
	}
	name, charset := jsonType, ""
	if header := r.Header.Get("Content-Type"); header != "" && header != jsonType {
		parsed, params, err := mime.ParseMediaType(header)
		if err != nil {
			return nil, b.unsupported().Because(err)
		}
		name, charset = parsed, params["charset"]
	}
	found, known := b.content[name]
	if !known || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return nil, b.unsupported()
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
