package apifuzz

import (
	"bytes"
	"compress/gzip"
	"strconv"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// bombSize is what a small compressed body decodes to, in bytes.
const bombSize = 64 << 20

// envelopeKinds change what is around the content of a body: its type, encoding, length and size.
var envelopeKinds = []way{
	enveloping("media: unknown", true, func(m *maker, r *Request) {
		types := []string{"text/plain", "application/xml", "multipart/form-data", "application/x-www-form-urlencoded", "*/*", "json", ";", "application/json; charset=latin1", "application/"}
		r.set("Content-Type", types[m.IntN(len(types))])
	}),
	enveloping("media: spelled otherwise", false, func(m *maker, r *Request) {
		types := []string{`application/json; charset="utf-8"`, "Application/JSON", "application/json;charset=UTF-8", "application/json; x=y", ""}
		r.content.media = jsonType
		r.Body = r.content.encode()
		r.set("Content-Type", types[m.IntN(len(types))])
	}),
	enveloping("media: twice", false, func(_ *maker, r *Request) { r.Header = append(r.Header, Field{"Content-Type", "text/plain"}) }),
	enveloping("encoding: unknown", true, func(m *maker, r *Request) {
		names := []string{"br", "deflate", "x", "gzip, gzip", "gzip;q=1", "identity, gzip"}
		r.set("Content-Encoding", names[m.IntN(len(names))])
	}),
	enveloping("encoding: not encoded", true, func(m *maker, r *Request) { r.set("Content-Encoding", encodings[m.IntN(2)]) }),
	enveloping("encoding: valid", false, func(m *maker, r *Request) { m.compress(r, r.Body) }),
	enveloping("encoding: cut", true, func(m *maker, r *Request) {
		m.compress(r, r.Body)
		r.Body = r.Body[:len(r.Body)/2]
	}),
	enveloping("encoding: more after it", false, func(m *maker, r *Request) {
		m.compress(r, r.Body)
		r.Body = append(r.Body, "more"...)
	}),
	heavy(enveloping("encoding: bomb", true, func(m *maker, r *Request) {
		encoding := encodings[m.IntN(2)]
		r.set("Content-Encoding", encoding)
		r.Body = bombs()[encoding]
	})),
	enveloping("text: byte order mark", false, func(_ *maker, r *Request) { r.Body = append([]byte("\ufeff"), r.Body...) }),
	heavy(enveloping("size: over the limit", true, func(_ *maker, r *Request) { r.pad(r.content.limit + 1) })),
	heavy(enveloping("size: at the limit", false, func(_ *maker, r *Request) { r.pad(r.content.limit) })),
	heavy(enveloping("size: over the limit in chunks", true, func(_ *maker, r *Request) {
		r.pad(r.content.limit + 1)
		r.chunks = true
	})),
	heavy(enveloping("size: one long text", true, func(_ *maker, r *Request) {
		r.Body = []byte(`{"x":"` + string(bytes.Repeat([]byte("a"), int(r.content.limit/2))) + `"}`)
	})),
	enveloping("size: announced", true, func(_ *maker, r *Request) { r.length = strconv.FormatInt(1<<40, 10) }),
	enveloping("size: chunks", false, func(_ *maker, r *Request) { r.chunks = true }),
}

func enveloping(name string, refused bool, change func(m *maker, r *Request)) way {
	return way{name: name, fits: hasBody, change: func(m *maker, r *Request) {
		change(m, r)
		r.Refused = refused
	}}
}

// pad adds spaces until the body has a size.
func (r *Request) pad(size int64) {
	r.Body = append(r.Body, bytes.Repeat([]byte(" "), max(0, int(size)-len(r.Body)))...)
}

var encodings = []string{"gzip", "zstd"}

func (m *maker) compress(r *Request, text []byte) {
	encoding := encodings[m.IntN(2)]
	r.set("Content-Encoding", encoding)
	r.Body = compressed(encoding, text)
}

// compressed encodes in memory, which cannot fail.
func compressed(encoding string, text []byte) []byte {
	var b bytes.Buffer
	if encoding == "gzip" {
		w := gzip.NewWriter(&b)
		_, _ = w.Write(text)
		_ = w.Close()
		return b.Bytes()
	}
	w, err := zstd.NewWriter(&b)
	if err != nil {
		panic(err) // the options are good
	}
	_, _ = w.Write(text)
	_ = w.Close()
	return b.Bytes()
}

// bombs are spaces, compressed.
var bombs = sync.OnceValue(func() map[string][]byte {
	text := bytes.Repeat([]byte(" "), bombSize)
	all := map[string][]byte{}
	for _, encoding := range encodings {
		all[encoding] = compressed(encoding, text)
	}
	return all
})
