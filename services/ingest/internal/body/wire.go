package body

import (
	"fmt"
	"io"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// A compressed body costs the client little and us what it decodes to. Usual events compress to a tenth, equal ones to a
// hundredth. The other way round, empty members and frames cost us time without any output, and nobody sends them.
const (
	maxRatio    = 100       // decoded bytes for each byte that was sent
	freeDecoded = 512 << 10 // decoded bytes of any body, whatever its ratio
	maxPadding  = 2         // bytes that were sent for each decoded byte
	freePadding = 64 << 10  // bytes sent of any body, whatever comes out
)

var errRatio = errs.New(errs.TooLarge, "compression_ratio", fmt.Sprintf(
	"A compressed body decodes to at most %d times its size and %d KiB, and has at most %d times the size of what it holds and %d KiB.",
	maxRatio, freeDecoded>>10, maxPadding, freePadding>>10))

// wire is a body as it is sent.
type wire struct {
	source io.Reader
	read   int64 // bytes so far
}

// Read implements io.Reader.
func (w *wire) Read(p []byte) (int, error) {
	n, err := w.source.Read(p)
	w.read += int64(n)
	return n, err
}

// packed is what a decoder reads. It ends when the decoder has read much more than it has decoded.
type packed struct {
	source io.Reader
	body   *Body
	read   int64 // bytes so far
}

// Read implements io.Reader.
func (p *packed) Read(to []byte) (int, error) {
	if p.read > freePadding+maxPadding*p.body.decoded {
		return 0, errRatio
	}
	n, err := p.source.Read(to[:min(len(to), freePadding)])
	p.read += int64(n)
	return n, err
}

// bloated reports whether much more was decoded than was read.
func (p *packed) bloated() bool { return p.body.decoded > freeDecoded+maxRatio*p.read }
