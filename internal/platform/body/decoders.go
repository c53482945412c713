package body

import (
	"bytes"
	"context"
	"io"
	"runtime"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/hp-analytics/hp-analytics/internal/platform/inflight"
)

const (
	// gzipCharge is the size of a gzip decoder.
	gzipCharge = 48 << 10
	// zstdWindow is the largest window of a zstd frame, and so the size of a decoder. Usual encoders use up to 8 MiB.
	zstdWindow = 8 << 20
)

// gzipDecoders is a pool. A gzip decoder is small, so a request holds one while its client sends.
type gzipDecoders struct{ pool sync.Pool }

func (d *gzipDecoders) decode(raw io.Reader, lease *inflight.Lease) (io.Reader, func(), error) {
	if err := lease.Grow(gzipCharge); err != nil {
		return nil, nil, err
	}
	decoder, ok := d.pool.Get().(*gzip.Reader)
	if !ok {
		decoder = new(gzip.Reader)
	}
	return decoder, func() { d.pool.Put(decoder) }, decoder.Reset(raw)
}

// zstdDecoders is a pool with one decoder per core, because they are large. No request holds one while its client sends: the
// compressed body is read into memory first.
type zstdDecoders chan *zstd.Decoder // nil for a decoder that was not needed yet

func newZstdDecoders() zstdDecoders {
	d := make(zstdDecoders, runtime.GOMAXPROCS(0))
	for range cap(d) {
		d <- nil
	}
	return d
}

func (d zstdDecoders) decode(ctx context.Context, raw io.Reader, p *packed, lease *inflight.Lease) (io.Reader, func(), error) {
	compressed, err := io.ReadAll(charged{raw, lease})
	if err != nil {
		return nil, nil, err
	}
	var decoder *zstd.Decoder
	select {
	case decoder = <-d:
	case <-ctx.Done():
		return nil, nil, inflight.ErrFull.Because(ctx.Err())
	}
	finish := func() {
		if decoder != nil {
			_ = decoder.Reset(nil) // drops the reference to the body; cannot fail on an open decoder
		}
		d <- decoder
	}
	if decoder == nil {
		decoder, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(zstdWindow), zstd.WithDecodeBuffersBelow(0))
	}
	if err == nil {
		p.source = bytes.NewReader(compressed)
		err = decoder.Reset(p)
	}
	return decoder, finish, err
}
