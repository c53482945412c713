// Package body reads request bodies that may be compressed, with a bound on their decoded size and on the memory that
// all bodies in flight take together.
package body

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/inflight"
)

const (
	// requestCharge is what a request is taken to need besides its body: connection buffers, goroutine, headers.
	requestCharge = 8 << 10
	// gzipCharge is the size of a gzip decoder.
	gzipCharge = 48 << 10
	// zstdMemory bounds one zstd frame. It must be at least the window that usual encoders ask for, 8 MiB.
	zstdMemory = 8 << 20
	// maxBelieved bounds the memory that is set aside for a Content-Length before anything has come.
	maxBelieved = 64 << 10
)

// Opener opens bodies. It is safe for concurrent use.
type Opener struct {
	budget *inflight.Budget
	gzips  sync.Pool     // of *gzip.Reader
	zstd   *zstd.Decoder // used only with DecodeAll, which is safe for concurrent use and runs on as many cores as there are
}

// NewOpener returns an opener whose bodies together take at most what is in budget.
func NewOpener(budget *inflight.Budget) (*Opener, error) {
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(zstdMemory))
	if err != nil {
		return nil, fmt.Errorf("make a zstd decoder: %w", err)
	}
	return &Opener{budget: budget, zstd: decoder}, nil
}

// Body is the decoded body of one request.
type Body struct {
	opener   *Opener
	lease    *inflight.Lease
	source   io.Reader
	gzip     *gzip.Reader // nil unless source is one
	left     int64        // bytes until tooLarge
	tooLarge error
	expected int64 // decoded size as far as it is known, 0 if not
}

// Open returns the decoded body of r, of which at most limit bytes can be read: more is the error tooLarge. Close must
// be called after the answer, because what was read counts as in memory until then.
func (o *Opener) Open(w http.ResponseWriter, r *http.Request, limit int64, tooLarge error) (*Body, error) {
	b := &Body{opener: o, lease: o.budget.Lease(), left: limit, tooLarge: tooLarge}
	// The compressed size is bounded as well: a decoder can read without end and without output.
	raw := http.MaxBytesReader(w, r.Body, limit)
	if err := b.open(raw, r); err != nil {
		b.Close()
		if errs.Is(err, errs.UnsupportedMedia) {
			w.Header().Set("Accept-Encoding", "gzip, zstd") // RFC 9110, section 12.5.3: what we would have taken
		}
		return nil, b.explain(err)
	}
	return b, nil
}

func (b *Body) open(raw io.Reader, r *http.Request) error {
	if err := b.lease.Grow(requestCharge); err != nil {
		return err
	}
	switch encoding := strings.ToLower(strings.Join(r.Header.Values("Content-Encoding"), ",")); encoding {
	case "", "identity":
		b.source, b.expected = raw, max(0, min(r.ContentLength, maxBelieved))
		return nil
	case "gzip", "x-gzip":
		return b.openGzip(raw)
	case "zstd":
		return b.openZstd(raw)
	default:
		return errs.New(errs.UnsupportedMedia, "unsupported_encoding", "Content-Encoding must be gzip, zstd or identity.")
	}
}

func (b *Body) openGzip(raw io.Reader) error {
	if err := b.lease.Grow(gzipCharge); err != nil {
		return err
	}
	reader, _ := b.opener.gzips.Get().(*gzip.Reader)
	if reader == nil {
		reader = new(gzip.Reader)
	}
	b.gzip, b.source = reader, reader
	return reader.Reset(raw)
}

// openZstd decodes in one go: a streaming decoder would need a window of up to 8 MiB for every slow client.
func (b *Body) openZstd(raw io.Reader) error {
	compressed, err := io.ReadAll(charged{raw, b.lease})
	if err != nil {
		return err
	}
	decoded, err := b.opener.zstd.DecodeAll(compressed, nil)
	if errors.Is(err, zstd.ErrDecoderSizeExceeded) || errors.Is(err, zstd.ErrWindowSizeExceeded) {
		return b.tooLarge
	}
	b.source, b.expected = bytes.NewReader(decoded), int64(len(decoded))
	return err
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

// Read implements io.Reader. Its errors are io.EOF and those that have a kind.
func (b *Body) Read(p []byte) (int, error) {
	n, err := charged{b.source, b.lease}.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, b.tooLarge
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return n, b.explain(err)
	}
	return n, err
}

// ReadAll returns the whole body.
func (b *Body) ReadAll() ([]byte, error) {
	all := bytes.NewBuffer(make([]byte, 0, b.expected+bytes.MinRead))
	_, err := all.ReadFrom(b)
	return all.Bytes(), err
}

// Close gives back what the body has taken.
func (b *Body) Close() {
	if b.gzip != nil {
		b.opener.gzips.Put(b.gzip)
		b.gzip = nil
	}
	b.lease.Release()
}

// explain gives err a kind: what cannot be read is the client's doing.
func (b *Body) explain(err error) error {
	if _, ok := errors.AsType[*errs.Error](err); ok {
		return err
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return b.tooLarge
	}
	return errs.New(errs.Malformed, "unreadable_body", "The body ended early or is not in its Content-Encoding.").Because(err)
}
