package body

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

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

// Pace is how fast a body must arrive. It keeps slow clients from holding memory and connections for long.
type Pace struct {
	Stall time.Duration // longest time without a byte
	Rate  int64         // fewest bytes a second, on average since Stall after the start
	Total time.Duration // longest time for the whole body
}

var errSlow = errs.New(errs.Malformed, "body_too_slow", "The body arrives too slowly. Send it at once, or in smaller requests.")

// wire is a body as it is sent.
type wire struct {
	source     io.Reader
	controller *http.ResponseController
	pace       Pace
	start      time.Time
	read       int64 // bytes so far
	first      [1]byte
	waiting    bool // first holds a byte that is not read yet
}

// await waits for the first byte, so that nothing is held for a client that has sent nothing. A body may be empty.
func (w *wire) await() error {
	n, err := w.receive(w.first[:])
	w.waiting = n > 0
	if errors.Is(err, io.EOF) {
		return nil // and once more when it is read
	}
	return err
}

// gzipMagic is the first byte of gzip (RFC 1952, section 2.3.1). It is a control character, which no text begins with.
const gzipMagic = 0x1f

// beginsAsGzip reports whether the first byte, after await, is that of gzip.
func (w *wire) beginsAsGzip() bool { return w.waiting && w.first[0] == gzipMagic }

// Read implements io.Reader.
func (w *wire) Read(p []byte) (int, error) {
	if !w.waiting || len(p) == 0 {
		return w.receive(p)
	}
	p[0], w.waiting = w.first[0], false
	if len(p) == 1 {
		return 1, nil
	}
	n, err := w.receive(p[1:])
	return n + 1, err
}

// receive reads with a deadline that moves on as bytes arrive.
func (w *wire) receive(p []byte) (int, error) {
	last := w.start.Add(w.pace.Total)
	paced := w.start.Add(w.pace.Stall + time.Duration(float64(w.read)/float64(w.pace.Rate)*float64(time.Second)))
	w.deadline(earliest(last, paced, time.Now().Add(w.pace.Stall)))
	n, err := w.source.Read(p)
	w.read += int64(n)
	if err != nil {
		// From here on the server watches the connection with this deadline. When it passes, the request is canceled.
		w.deadline(last)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = errSlow.Because(err)
	}
	return n, err
}

// deadline sets the read deadline of the connection. A writer without a connection has none.
func (w *wire) deadline(at time.Time) { _ = w.controller.SetReadDeadline(at) }

func earliest(first time.Time, others ...time.Time) time.Time {
	for _, t := range others {
		if t.Before(first) {
			first = t
		}
	}
	return first
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
