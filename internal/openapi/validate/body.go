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

const (
	// defaultMaxBody is the limit of a body in bytes where the operation sets no other with the extension below.
	defaultMaxBody = 64 << 10
	// maxBodyExtension is the member of a request body in openapi.yaml that sets its limit in bytes.
	maxBodyExtension = "x-max-bytes"

	jsonType = "application/json"
)

// checkBody reads the body, leaves it to be read again, and returns its problems.
func checkBody(w http.ResponseWriter, r *http.Request, body *openapi3.RequestBody) ([]errs.Field, error) {
	media, err := mediaType(r, body)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody(body)))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, err
		}
		return nil, errs.New(errs.Malformed, "unreadable_body", "The body could not be read to its end.").Because(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(data))
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, errs.New(errs.Malformed, "body_required", "This request needs a JSON body.")
	}
	value, err := strictjson.Parse(data)
	if err != nil {
		return nil, err
	}
	return checkValue(media.Schema.Value, value), nil
}

// mediaType returns what the contract says about the body's media type. Without a Content-Type it is JSON.
func mediaType(r *http.Request, body *openapi3.RequestBody) (*openapi3.MediaType, error) {
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return nil, errs.New(errs.UnsupportedMedia, "unsupported_encoding", "Send this body without a Content-Encoding.")
	}
	name, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if r.Header.Get("Content-Type") == "" {
		name, err = jsonType, nil
	}
	media, known := body.Content[name]
	if charset := params["charset"]; err != nil || !known || charset != "" && !strings.EqualFold(charset, "utf-8") {
		names := slices.Sorted(maps.Keys(body.Content))
		return nil, errs.New(errs.UnsupportedMedia, "unsupported_media_type",
			fmt.Sprintf("Send %s in UTF-8.", strings.Join(names, " or "))).Because(err)
	}
	return media, nil
}

func maxBody(body *openapi3.RequestBody) int64 {
	if limit, ok := body.Extensions[maxBodyExtension].(float64); ok {
		return int64(limit)
	}
	return defaultMaxBody
}

// checkValue returns the problems of a decoded body.
func checkValue(schema *openapi3.Schema, value any) []errs.Field {
	options := append(contract.Formats(), openapi3.VisitAsRequest(), openapi3.MultiErrors())
	var fields []errs.Field
	if err := schema.VisitJSON(value, options...); err != nil {
		fields = fieldsOf("", schema, err)
	}
	return append(fields, checkStorable("", schema, value)...)
}
