package telemetry

import (
	"io"
	"sync"
	"time"
)

const (
	// flushDelay is how long a line may stay in memory. A killed process loses at most the lines of this time.
	flushDelay = 100 * time.Millisecond
	// flushSize is the number of buffered bytes that triggers a flush.
	flushSize = 32 << 10
)

// Buffer batches log lines. Under load, a write system call per request would cost twice as much as encoding the line. A
// logger on a Buffer flushes it after every warning or error, so those are never delayed.
type Buffer struct {
	mu      sync.Mutex
	out     io.Writer
	lines   []byte
	pending *time.Timer // set while lines is not empty
}

// NewBuffer returns a buffer in front of out. Flush must be called before the process ends.
func NewBuffer(out io.Writer) *Buffer { return &Buffer{out: out} }

// Write implements io.Writer. It writes p to the output within flushDelay. Write errors are dropped, as a logger does.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, p...)
	switch {
	case len(b.lines) >= flushSize:
		b.flush()
	case b.pending == nil:
		b.pending = time.AfterFunc(flushDelay, b.Flush)
	}
	return len(p), nil
}

// Flush writes the buffered lines.
func (b *Buffer) Flush() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.flush()
}

func (b *Buffer) flush() {
	if b.pending != nil {
		b.pending.Stop()
		b.pending = nil
	}
	if len(b.lines) > 0 {
		_, _ = b.out.Write(b.lines) // best effort: the log is where it would be reported
		b.lines = b.lines[:0]
	}
}
