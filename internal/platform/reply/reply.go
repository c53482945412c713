// Package reply writes encoded answers that are sent many times. Everything that does not depend on the request is made once:
// header values, entity tags and the compressed body.
package reply

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// worthCompressing is the length in bytes from which on a body is compressed for clients that accept it.
const worthCompressing = 1 << 10

// Options are the headers of a reply.
type Options struct {
	// Tag is the entity tag without its quotation marks; empty: a digest of the body.
	Tag          string
	CacheControl string
	Vary         string // beside Accept-Encoding; may be empty
}

// Reply is the encoded JSON of a 200. It is safe for concurrent use.
type Reply struct {
	plain  variant
	cache  []string // Cache-Control
	vary   []string // nil if there is none
	zip    sync.Once
	zipped *variant // nil: not smaller than plain
}

// variant is a representation of a reply.
type variant struct {
	body         []byte
	tag          string // quoted
	tags, length []string
}

// gzipSuffix ends the entity tag of a compressed representation. A strong tag names one sequence of bytes.
const gzipSuffix = "-gzip"

var (
	jsonType     = []string{"application/json"}
	gzipEncoding = []string{"gzip"}
)

// New returns the reply with a body, which must not change any more.
func New(body []byte, o Options) *Reply {
	tag := o.Tag
	if tag == "" {
		sum := sha256.Sum256(body)
		tag = base64.RawURLEncoding.EncodeToString(sum[:12])
	}
	p := &Reply{plain: newVariant(body, tag), cache: []string{o.CacheControl}}
	vary := o.Vary
	if p.compressible() {
		vary = strings.TrimPrefix(vary+", Accept-Encoding", ", ")
	}
	if vary != "" {
		p.vary = []string{vary}
	}
	return p
}

func newVariant(body []byte, tag string) variant {
	quoted := `"` + tag + `"`
	return variant{body: body, tag: quoted, tags: []string{quoted}, length: []string{strconv.Itoa(len(body))}}
}

func (p *Reply) compressible() bool { return len(p.plain.body) >= worthCompressing }

// Body returns the body as it is without compression.
func (p *Reply) Body() []byte { return p.plain.body }

// Size returns how many bytes of memory the bodies take at most.
func (p *Reply) Size() int {
	if p.compressible() {
		return 2 * len(p.plain.body) // the compressed one is kept only if it is smaller
	}
	return len(p.plain.body)
}

// compressed returns the compressed representation, or the plain one if compression does not make it smaller.
func (p *Reply) compressed() *variant {
	p.zip.Do(func() {
		var body bytes.Buffer
		writer, _ := gzip.NewWriterLevel(&body, gzip.BestSpeed) // a valid level
		_, _ = writer.Write(p.plain.body)                       // a buffer takes everything
		_ = writer.Close()
		if body.Len() < len(p.plain.body) {
			smaller := newVariant(bytes.Clone(body.Bytes()), strings.Trim(p.plain.tag, `"`)+gzipSuffix)
			p.zipped = &smaller
		}
	})
	if p.zipped == nil {
		return &p.plain
	}
	return p.zipped
}

// Write answers a request with the header asked: with 304 if the client has the reply, or else with 200. It returns the status
// and the length of the body.
func (p *Reply) Write(w http.ResponseWriter, asked http.Header) (status int, written int) {
	v := &p.plain
	if p.compressible() && acceptsGzip(asked) {
		v = p.compressed()
	}
	header := w.Header()
	header["Cache-Control"] = p.cache
	header["Etag"] = v.tags
	if p.vary != nil {
		header["Vary"] = p.vary
	}
	if known := asked["If-None-Match"]; len(known) == 1 && NoneMatch(known[0], p.plain.tag) {
		w.WriteHeader(http.StatusNotModified)
		return http.StatusNotModified, 0
	}
	header["Content-Type"] = jsonType
	header["Content-Length"] = v.length
	if v != &p.plain {
		header["Content-Encoding"] = gzipEncoding
	}
	w.WriteHeader(http.StatusOK)
	written, _ = w.Write(v.body) // the client may be gone
	return http.StatusOK, written
}

// NoneMatch reports whether If-None-Match names the quoted entity tag (RFC 9110, section 13.1.2). The comparison is weak,
// because a proxy that compresses an answer weakens its tag.
func NoneMatch(header, tag string) bool {
	return header == tag || Names(header, func(name string) bool { return Plain(strings.TrimPrefix(name, "W/")) == tag })
}

// Names reports whether a list of entity tags is "*" or has one that matches. The tags must not contain commas.
func Names(header string, match func(tag string) bool) bool {
	for tag := range strings.SplitSeq(header, ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || match(tag) {
			return true
		}
	}
	return false
}

// Plain returns the entity tag of the representation without compression, for the tag of any.
func Plain(tag string) string {
	if bare, found := strings.CutSuffix(tag, gzipSuffix+`"`); found {
		return bare + `"`
	}
	return tag
}

// acceptsGzip reports whether Accept-Encoding names gzip, and not with the weight 0.
func acceptsGzip(asked http.Header) bool {
	for _, line := range asked["Accept-Encoding"] {
		for element := range strings.SplitSeq(line, ",") {
			name, weight, weighted := strings.Cut(element, ";")
			if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
				continue
			}
			value, isWeight := strings.CutPrefix(strings.ToLower(strings.TrimSpace(weight)), "q=")
			return !weighted || !isWeight || strings.Trim(value, "0.") != ""
		}
	}
	return false
}
