// Package body reads request bodies that may be compressed, with a bound on their decoded size and on the memory that
// all bodies in flight take together.
package body

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/inflight"
)

const (
	// requestCharge is charged for what a request needs besides its body: connection buffers, goroutine, headers.
	requestCharge = 8 << 10
	// maxBelieved bounds the memory allocated for a Content-Length before any byte has arrived.
	maxBelieved = 64 << 10
)

// Opener opens bodies. It is safe for concurrent use.
type Opener struct {
	budget *inflight.Budget
	pace   Pace
	gzips  gzipDecoders
	zstds  zstdDecoders
}

// NewOpener returns an opener whose bodies take at most what is in budget, and arrive at pace.
func NewOpener(budget *inflight.Budget, pace Pace) *Opener {
	return &Opener{budget: budget, pace: pace, zstds: newZstdDecoders()}
}

// Terms are the bounds of one body.
type Terms struct {
	Holder   inflight.Holder
	Bytes    int64 // decoded, and as it is sent
	TooLarge error // the answer beyond Bytes
	// Charge is called while the body is read and at its end, with the bytes so far: decoded or as they were sent, whichever
	// are more. The body ends with the error that it returns. It may be nil.
	Charge func(bytes int64) error
	// Streamed bytes are not kept by the caller. Only what is passed to Keep counts as in memory.
	Streamed bool
	// SniffGzip decodes a body that begins as gzip does and has no Content-Encoding. No text begins so.
	SniffGzip bool
}

// Body is the decoded body of one request.
type Body struct {
	terms     Terms
	lease     *inflight.Lease
	wire      wire
	source    io.Reader
	packed    *packed // what the decoder has read; nil without a decoder
	expected  int64   // decoded size as far as it is known, 0 if not
	finish    func()  // returns the decoder; nil without a decoder and after the return
	transient int64   // part of the lease for the decoder
	decoded   int64
	charged   int64 // bytes at the last call of Charge
}

// Open waits for the first byte of the body of r and returns the decoded body. Read it to its end or first error, and call Close after the answer: until then the
// bytes that were read are charged to the memory budget.
func (o *Opener) Open(w http.ResponseWriter, r *http.Request, terms Terms) (*Body, error) {
	b := &Body{terms: terms, lease: o.budget.Lease(terms.Holder)}
	b.wire = wire{
		// The compressed size is bounded as well: a decoder can read without end and without output.
		source:     http.MaxBytesReader(w, r.Body, terms.Bytes),
		controller: http.NewResponseController(w), pace: o.pace, start: time.Now(),
	}
	if err := b.open(o, r); err != nil {
		refused := b.settle()
		b.Close()
		if errs.Is(err, errs.UnsupportedMedia) {
			w.Header().Set("Accept-Encoding", "gzip, zstd") // RFC 9110, section 12.5.3: what we would have taken
		}
		return nil, cmp.Or(refused, b.explain(err))
	}
	return b, nil
}

func (b *Body) open(o *Opener, r *http.Request) (err error) {
	encoding := strings.ToLower(strings.Join(r.Header.Values("Content-Encoding"), ","))
	if plain := encoding == "" || encoding == "identity"; plain && r.ContentLength > b.terms.Bytes {
		b.decoded = b.terms.Bytes                        // charged like the largest body, so that what is refused costs its caller
		return &http.MaxBytesError{Limit: b.terms.Bytes} // without it, the client would be asked to send it, or waited for
	}
	if err := b.wire.await(); err != nil {
		return err
	}
	if err := b.lease.Grow(requestCharge); err != nil {
		return err
	}
	if b.terms.SniffGzip && encoding == "" && b.wire.beginsAsGzip() {
		encoding = "gzip"
	}
	before := b.lease.Held()
	defer func() { b.transient = b.lease.Held() - before }()
	switch encoding {
	case "", "identity":
		b.source, b.expected = &b.wire, max(0, min(r.ContentLength, maxBelieved))
	case "gzip", "x-gzip":
		b.packed = &packed{source: &b.wire, body: b}
		b.source, b.finish, err = o.gzips.decode(b.packed, b.lease)
	case "zstd":
		b.packed = &packed{body: b}
		b.source, b.finish, err = o.zstds.decode(r.Context(), &b.wire, b.packed, b.lease)
	default:
		err = errs.New(errs.UnsupportedMedia, "unsupported_encoding", "Content-Encoding must be gzip, zstd or identity.")
	}
	return err
}

// Read implements io.Reader. Its errors are io.EOF and those that have a kind.
func (b *Body) Read(p []byte) (int, error) {
	n, err := b.read(p)
	b.decoded += int64(n)
	switch {
	case b.decoded > b.terms.Bytes:
		n, err = 0, b.terms.TooLarge
	case b.packed != nil && b.packed.bloated():
		n, err = 0, errRatio
	}
	if err == nil {
		if b.used()-b.charged >= chargeStep {
			err = b.charge()
		}
		return n, err
	}
	if refused := b.settle(); refused != nil {
		return 0, refused
	}
	if errors.Is(err, io.EOF) {
		return n, err
	}
	return 0, b.explain(err)
}

func (b *Body) read(p []byte) (int, error) {
	if b.terms.Streamed {
		return b.source.Read(p)
	}
	return charged{b.source, b.lease}.Read(p)
}

// settle returns the decoder, because there is nothing more to decode, and charges what was read.
func (b *Body) settle() error {
	b.done()
	return b.charge()
}

// chargeStep is how many bytes are read between two calls of Charge.
const chargeStep = 64 << 10

// used returns the bytes that were read, decoded or as they were sent.
func (b *Body) used() int64 { return max(b.decoded, b.wire.read) }

func (b *Body) charge() error {
	b.charged = b.used()
	if b.terms.Charge == nil || b.charged == 0 {
		return nil
	}
	return b.terms.Charge(b.charged)
}

// Keep counts n bytes as in memory until Close or Free, or returns inflight.ErrFull.
func (b *Body) Keep(n int) error { return b.lease.Grow(int64(n)) }

// Free takes back n bytes of what was kept.
func (b *Body) Free(n int) { b.lease.Shrink(int64(n)) }

// ReadAll returns the whole body.
func (b *Body) ReadAll() ([]byte, error) {
	all := bytes.NewBuffer(make([]byte, 0, b.expected+bytes.MinRead))
	_, err := all.ReadFrom(b)
	return all.Bytes(), err
}

// done returns the decoder as soon as there is nothing more to decode.
func (b *Body) done() {
	if b.finish != nil {
		b.finish()
		b.finish, b.source = nil, nothing{}
		b.lease.Shrink(b.transient)
		b.transient = 0
	}
}

// Close releases everything that the body holds.
func (b *Body) Close() {
	b.done()
	b.lease.Release()
}

// nothing replaces the source of a decoded body, so that a compressed body in memory can be collected.
type nothing struct{}

// Read implements io.Reader.
func (nothing) Read([]byte) (int, error) { return 0, io.EOF }

var errWindow = errs.New(errs.Malformed, "unreadable_body",
	"The body is not zstd, or its frames need a window of more than "+strconv.Itoa(zstdWindow>>20)+" MiB.")

// explain gives err a kind. A body that cannot be read is the client's fault.
func (b *Body) explain(err error) error {
	if _, ok := errors.AsType[*errs.Error](err); ok {
		return err
	}
	if _, long := errors.AsType[*http.MaxBytesError](err); long {
		return b.terms.TooLarge
	}
	if errors.Is(err, zstd.ErrWindowSizeExceeded) || errors.Is(err, zstd.ErrDecoderSizeExceeded) {
		return errWindow.Because(err) // most often the data is wrong, and its first bytes only look like a large frame
	}
	return errs.New(errs.Malformed, "unreadable_body", "The body ended early or is not in its Content-Encoding.").Because(err)
}

// charged takes what it reads from a lease.
type charged struct {
	source io.Reader
	lease  *inflight.Lease
}

// Read implements io.Reader.
func (c charged) Read(p []byte) (int, error) {
	n, err := c.source.Read(p)
	if full := c.lease.Grow(int64(n)); full != nil {
		return 0, full
	}
	return n, err
}
