package telemetry

import (
	"io"
	"sync"
	"time"
)

const (
	// flushDelay is how long a line may stay in memory: what a process that is killed may not have told.
	flushDelay = 100 * time.Millisecond
	// flushSize is how much may stay there.
	flushSize = 32 << 10
)

// Buffer collects log lines for a moment. Under load a write to the log for each request would cost as much as encoding
// the line twice. A logger on a Buffer flushes it with every warning or error, so those are never late.
type Buffer struct {
	mu      sync.Mutex
	out     io.Writer
	lines   []byte
	pending *time.Timer // runs while lines hold something
}

// NewBuffer returns a buffer in front of out. Flush must be called before the process ends.
func NewBuffer(out io.Writer) *Buffer { return &Buffer{out: out} }

// Write implements io.Writer. What p holds is written within 100 ms; errors of that are lost, as they are for a logger.
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

// Flush writes what is there.
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
		_, _ = b.out.Write(b.lines) // there is nobody to tell
		b.lines = b.lines[:0]
	}
}
