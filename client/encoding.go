package client

import (
	"compress/gzip"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// Encoding is a Content-Encoding of a request.
type Encoding string

// The encodings that the platform takes.
const (
	Gzip Encoding = "gzip"
	Zstd Encoding = "zstd"
)

// writer compresses what is written to w. Without an encoding it passes it on.
func (e Encoding) writer(w io.Writer) (io.WriteCloser, error) {
	switch e {
	case "":
		return nopCloser{w}, nil
	case Gzip:
		return gzip.NewWriter(w), nil
	case Zstd:
		return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
	default:
		return nil, fmt.Errorf("content encoding %q: use Gzip or Zstd", string(e))
	}
}

type nopCloser struct{ io.Writer }

// Close does nothing.
func (nopCloser) Close() error { return nil }
