package body

import (
	"bytes"
	"context"
	"io"
	"runtime"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/inflight"
)

const (
	// gzipCharge is the size of a gzip decoder.
	gzipCharge = 48 << 10
	// zstdWindow is how far back a zstd frame may refer, and so the size of a decoder. Usual encoders want up to 8 MiB.
	zstdWindow = 8 << 20
)

// gzipDecoders keeps decoders for further use. They are small: each request has one for as long as its client sends.
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

// zstdDecoders are so large that there are only as many as there are cores. A decoder is therefore never held while a
// client sends: the compressed body is in memory before it is decoded.
type zstdDecoders chan *zstd.Decoder // nil for one that is not made yet

func newZstdDecoders() zstdDecoders {
	d := make(zstdDecoders, runtime.GOMAXPROCS(0))
	for range cap(d) {
		d <- nil
	}
	return d
}

func (d zstdDecoders) decode(ctx context.Context, raw io.Reader, lease *inflight.Lease) (io.Reader, func(), error) {
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
			_ = decoder.Reset(nil) // lets go of the body; cannot fail on a decoder that is open
		}
		d <- decoder
	}
	if decoder == nil {
		decoder, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(zstdWindow), zstd.WithDecodeBuffersBelow(0))
	}
	if err == nil {
		err = decoder.Reset(bytes.NewReader(compressed))
	}
	return decoder, finish, err
}
