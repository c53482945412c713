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

	"github.com/hp-analytics/hp-analytics/internal/platform/negotiation"
)

// worthCompressing is the length in bytes from which on a body is compressed for clients that accept it.
const worthCompressing = 1 << 10

// Options are the headers of a reply.
type Options struct {
	// Tag is the entity tag without its quotation marks; empty: a digest of the body.
	Tag string
	// Weak says that other bodies with the same tag differ a little (RFC 9110, section 8.8.1).
	Weak bool
	// Untagged replies have no entity tag, so they are never answered with 304.
	Untagged     bool
	CacheControl string
	Vary         string // beside Accept-Encoding; may be empty
}

// Reply is the encoded JSON of a 200. It is safe for concurrent use.
type Reply struct {
	options Options
	plain   variant
	cache   []string // Cache-Control
	vary    []string // nil if there is none
	zip     sync.Once
	zipped  *variant // nil: not worth its memory
}

// variant is a representation of a reply.
type variant struct {
	body         []byte
	tag          string   // quoted; empty without one
	tags, length []string // of the header; tags is nil without one
}

// gzipSuffix ends the entity tag of a compressed representation. A strong tag names one sequence of bytes.
const gzipSuffix = "-gzip"

var (
	jsonType     = []string{"application/json"}
	gzipEncoding = []string{"gzip"}
)

// New returns the reply with a body, which must not change any more.
func New(body []byte, o Options) *Reply {
	if o.Tag == "" && !o.Untagged {
		sum := sha256.Sum256(body)
		o.Tag = base64.RawURLEncoding.EncodeToString(sum[:12])
	}
	p := &Reply{options: o, plain: newVariant(body, o, ""), cache: []string{o.CacheControl}}
	vary := o.Vary
	if p.compressible() {
		vary = strings.TrimPrefix(vary+", Accept-Encoding", ", ")
	}
	if vary != "" {
		p.vary = []string{vary}
	}
	return p
}

func newVariant(body []byte, o Options, suffix string) variant {
	v := variant{body: body, length: []string{strconv.Itoa(len(body))}}
	if o.Untagged {
		return v
	}
	v.tag = `"` + o.Tag + suffix + `"`
	v.tags = []string{v.tag}
	if o.Weak {
		v.tags[0] = "W/" + v.tag
	}
	return v
}

func (p *Reply) compressible() bool { return len(p.plain.body) >= worthCompressing }

// Body returns the body as it is without compression.
func (p *Reply) Body() []byte { return p.plain.body }

// Tag returns the entity tag of the body without compression, without its quotation marks.
func (p *Reply) Tag() string { return p.options.Tag }

// Size returns how many bytes of memory the bodies take at most.
func (p *Reply) Size() int {
	if p.compressible() {
		return len(p.plain.body) + len(p.plain.body)/2
	}
	return len(p.plain.body)
}

// compressed returns the compressed representation, which is made for the first client that accepts it. It is the plain one if
// compression does not save half of it: that is a bound on what is kept, and JSON is far below it.
func (p *Reply) compressed() *variant {
	p.zip.Do(func() {
		var body bytes.Buffer
		writer, _ := gzip.NewWriterLevel(&body, gzip.BestSpeed) // a valid level
		_, _ = writer.Write(p.plain.body)                       // a buffer takes everything
		_ = writer.Close()
		if body.Len() <= len(p.plain.body)/2 {
			smaller := newVariant(bytes.Clone(body.Bytes()), p.options, gzipSuffix)
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
	if p.compressible() && negotiation.Gzip(asked) {
		v = p.compressed()
	}
	header := w.Header()
	header["Cache-Control"] = p.cache
	if v.tags != nil {
		header["Etag"] = v.tags
	}
	if p.vary != nil {
		header["Vary"] = p.vary
	}
	if known := asked["If-None-Match"]; len(known) == 1 && v.tags != nil && NoneMatch(known[0], p.plain.tag) {
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
