package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
)

// call is one call of an operation. Every attempt sends the same header and body.
type call struct {
	operation string // operationId
	method    string
	path      string // escaped
	query     url.Values
	header    http.Header
	body      []byte
	public    bool // needs no credential

	ndjson         bool
	encoding       Encoding
	repeatable     bool // declared so by the caller
	responseHeader *http.Header
}

// CallOption changes one call.
type CallOption func(*call)

// ResponseHeader stores the header of the successful answer in header, such as ETag, Location, RateLimit or
// Idempotency-Replayed.
func ResponseHeader(header *http.Header) CallOption {
	return func(c *call) { c.responseHeader = header }
}

// Compressed sends the body with a Content-Encoding. The operations on events take it.
func Compressed(encoding Encoding) CallOption {
	return func(c *call) { c.encoding = encoding }
}

// AsNDJSON sends the events of CreateEventsBulk one a line instead of as one JSON document. The platform does the same
// with both.
func AsNDJSON() CallOption {
	return func(c *call) { c.ndjson = true }
}

// Repeatable has an operation repeated after a lost answer although it may then happen twice, for callers that can clean
// up or do not mind.
func Repeatable() CallOption {
	return func(c *call) { c.repeatable = true }
}

// setQuery sets a query parameter unless it has its zero value.
func (c *call) setQuery(name string, value any) {
	if reflect.ValueOf(value).IsZero() {
		return
	}
	if c.query == nil {
		c.query = url.Values{}
	}
	c.query.Set(name, fmt.Sprint(value))
}

// setHeader sets a request header unless it is empty.
func (c *call) setHeader(name, value string) {
	if value == "" {
		return
	}
	if c.header == nil {
		c.header = http.Header{}
	}
	c.header.Set(name, value)
}

// pathSegment writes a path parameter.
func pathSegment(value any) string { return url.PathEscape(fmt.Sprint(value)) }

// encode writes the body for all attempts, with ids for what has none. body is nil or a pointer.
func (c *call) encode(body any) error {
	if body == nil {
		return nil
	}
	if err := c.identify(body); err != nil {
		return err
	}
	c.setHeader("Content-Type", "application/json")
	values := []any{body}
	if c.ndjson {
		bulk, ok := body.(*EventBulkRequest)
		if !ok {
			return errors.New("only CreateEventsBulk takes NDJSON")
		}
		c.setHeader("Content-Type", "application/x-ndjson")
		values = make([]any, len(bulk.Events))
		for i := range bulk.Events {
			values[i] = &bulk.Events[i]
		}
	}
	c.setHeader("Content-Encoding", string(c.encoding))
	var buffer bytes.Buffer
	if err := write(&buffer, c.encoding, values); err != nil {
		return fmt.Errorf("encode the request: %w", err)
	}
	c.body = buffer.Bytes()
	return nil
}

// write writes values as lines of JSON.
func write(to io.Writer, encoding Encoding, values []any) error {
	compressor, err := encoding.writer(to)
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(compressor)
	for _, value := range values {
		if err := encoder.Encode(value); err != nil {
			return err
		}
	}
	return compressor.Close()
}

// reader returns the body for one attempt.
func (c *call) reader() io.Reader {
	if c.body == nil {
		return http.NoBody
	}
	return bytes.NewReader(c.body)
}
