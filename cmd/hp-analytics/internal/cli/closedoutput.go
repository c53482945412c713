package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"

	"golang.org/x/term"
)

// commandOutput is the standard output of a command. When nobody reads it any more, as after `| head`, it ends the command: its
// context is canceled, so that the command stops what it has started.
type commandOutput struct {
	io.Writer
	cancel context.CancelFunc
	unread atomic.Bool
}

// newCommandOutput returns the output of a command and the context that it ends. The caller must call stop. Until then SIGPIPE is
// taken, by which the first write to a closed pipe would end the process; the write fails instead.
func newCommandOutput(ctx context.Context, w io.Writer) (_ context.Context, o *commandOutput, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	// The signal is not ignored, because the programs that a command starts would ignore it, too.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGPIPE)
	return ctx, &commandOutput{Writer: w, cancel: cancel}, func() {
		signal.Stop(signals)
		cancel()
	}
}

// writer is where the command writes. A terminal stays one, so that the command shows its progress; it has a reader.
func (o *commandOutput) writer() io.Writer {
	if file, ok := o.Writer.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		return file
	}
	return o
}

// Write implements io.Writer.
func (o *commandOutput) Write(p []byte) (int, error) {
	n, err := o.Writer.Write(p)
	if errors.Is(err, syscall.EPIPE) {
		o.unread.Store(true)
		o.cancel()
	}
	return n, err
}
