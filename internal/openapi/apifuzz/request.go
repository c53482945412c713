package apifuzz

import (
	"bytes"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// Request is a request as bytes.
type Request struct {
	Operation string // its id
	Kind      string // "valid", or what is broken
	// Refused says that the contract demands a refusal: a status of 400 or more, or, where a request holds many items, the refusal of
	// one.
	Refused bool
	// Wire says that the request is no HTTP, so the server answers it without the platform, or ends the connection.
	Wire   bool
	Caller string // whose credentials are sent
	Method string
	Header []Field
	Body   []byte

	path   string // the template
	params map[string]string
	query  map[string]string

	rawPath, rawQuery string        // replace path and query
	content           *content      // of the body; nil without one
	chunks            bool          // the body is sent in chunks, without its length
	length            string        // replaces Content-Length
	raw               func() []byte // replaces all
}

// Field is a field of a header.
type Field struct{ Name, Value string }

// Target returns path and query.
func (r *Request) Target() string {
	path := r.path
	for name, value := range r.params {
		path = strings.ReplaceAll(path, "{"+name+"}", url.PathEscape(value))
	}
	if r.rawPath != "" {
		path = r.rawPath
	}
	var query []string
	for _, name := range slices.Sorted(maps.Keys(r.query)) {
		query = append(query, url.QueryEscape(name)+"="+url.QueryEscape(r.query[name]))
	}
	if r.rawQuery != "" {
		query = append(query, r.rawQuery)
	}
	if len(query) > 0 {
		path += "?" + strings.Join(query, "&")
	}
	return path
}

// set replaces a field of the header.
func (r *Request) set(name, value string) {
	r.drop(name)
	r.Header = append(r.Header, Field{name, value})
}

// drop removes a field from the header.
func (r *Request) drop(name string) {
	r.Header = slices.DeleteFunc(r.Header, func(f Field) bool { return strings.EqualFold(f.Name, name) })
}

// Bytes returns the request as it is sent to a host. credentials is the value of Authorization; empty for none.
func (r *Request) Bytes(host, credentials string) []byte {
	if r.raw != nil {
		return r.raw()
	}
	var b bytes.Buffer
	_, _ = fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", r.Method, r.Target(), host)
	if credentials != "" {
		_, _ = fmt.Fprintf(&b, "Authorization: %s\r\n", credentials)
	}
	for _, f := range r.Header {
		_, _ = fmt.Fprintf(&b, "%s: %s\r\n", f.Name, f.Value)
	}
	switch {
	case r.chunks:
		b.WriteString("Transfer-Encoding: chunked\r\n\r\n")
		for chunk := range slices.Chunk(r.Body, 1000) {
			_, _ = fmt.Fprintf(&b, "%x\r\n%s\r\n", len(chunk), chunk)
		}
		b.WriteString("0\r\n\r\n")
		return b.Bytes()
	case r.length != "":
		_, _ = fmt.Fprintf(&b, "Content-Length: %s\r\n", r.length)
	case len(r.Body) > 0 || r.Method == "POST" || r.Method == "PUT" || r.Method == "PATCH":
		_, _ = fmt.Fprintf(&b, "Content-Length: %d\r\n", len(r.Body))
	}
	b.WriteString("\r\n")
	b.Write(r.Body)
	return b.Bytes()
}
