package localproc

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

const (
	maxLogSize   = 16 << 20
	tailLines    = 20
	maxTailBytes = 16 << 10
)

// logFile receives the output of a server. The server writes to it directly and not through a pipe, so the last messages
// are kept even if this process crashes. When the file exceeds maxLogSize, its content moves to a second file.
type logFile struct {
	path  string
	file  *os.File
	start int64 // offset at which the output of this run begins
}

func openLog(path string) (*logFile, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the server's log: %w", err)
	}
	l := &logFile{path: path, file: file}
	if err := l.rotate(maxLogSize); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if l.start, err = file.Seek(0, io.SeekEnd); err != nil {
		return nil, errors.Join(fmt.Errorf("open the server's log: %w", err), file.Close())
	}
	return l, nil
}

func (l *logFile) close() { _ = l.file.Close() }

// rotateUntil limits the size of the log until stop is closed.
func (l *logFile) rotateUntil(stop <-chan struct{}) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			_ = l.rotate(maxLogSize) // best effort: if the disk is full, the next tick retries
		}
	}
}

// rotate moves the content to a second file if it exceeds limit. The server's descriptor stays valid: it is in append mode, so
// it continues at the new end. Output written during the copy may be lost.
func (l *logFile) rotate(limit int64) error {
	info, err := l.file.Stat()
	if err != nil {
		return fmt.Errorf("rotate the server's log: %w", err)
	}
	if info.Size() <= limit {
		return nil
	}
	old, err := os.OpenFile(l.path+".1", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("rotate the server's log: %w", err)
	}
	_, err = io.Copy(old, io.NewSectionReader(l.file, 0, info.Size()))
	if err := errors.Join(err, old.Close(), l.file.Truncate(0)); err != nil {
		return fmt.Errorf("rotate the server's log: %w", err)
	}
	return nil
}

// tail returns the last lines of this run.
func (l *logFile) tail() string {
	file, err := os.Open(l.path) // the descriptor may already be closed
	if err != nil {
		return err.Error()
	}
	defer file.Close() //nolint:errcheck // only read
	info, err := file.Stat()
	if err != nil {
		return err.Error()
	}
	from := l.start
	if from > info.Size() { // the log was rotated since
		from = 0
	}
	from = max(from, info.Size()-maxTailBytes)
	content, err := io.ReadAll(io.NewSectionReader(file, from, info.Size()-from))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	return "  " + strings.Join(lines[max(0, len(lines)-tailLines):], "\n  ")
}
