package decode

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"unsafe"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

const (
	// lineBuffer holds the longest line: a line break may follow, \r\n.
	lineBuffer = event.MaxBytes + 2
	// firstDrafts is how many drafts a batch has room for at first.
	firstDrafts = 16
	// draftSize and problemSize are what the drafts of a batch and their problems take, texts not included.
	draftSize   = int(unsafe.Sizeof(event.Draft{}))
	problemSize = int(unsafe.Sizeof(event.Draft{}.Problems[0]))
)

// Source is a body that is read as a stream. What the decoder keeps of it is charged to the request's memory.
type Source interface {
	io.Reader
	// Keep charges n bytes to the memory budget of all requests, or fails if the budget does not have them.
	Keep(n int) error
	// Free gives n bytes back before the request is done.
	Free(n int)
}

// Lines decodes NDJSON with one buffer for a body of any length. Only the drafts of its lines stay in memory: nothing of an
// empty line, and only the reasons of a refused one. It is safe for concurrent use.
type Lines struct {
	buffers sync.Pool // of *bufio.Reader
}

// Events reads one event from each line of source. A line that is not JSON or too long is refused in its draft. An error
// is one of source or concerns the batch as a whole.
func (l *Lines) Events(source Source) ([]event.Draft, error) {
	if err := source.Keep(lineBuffer); err != nil {
		return nil, err
	}
	buffer, ok := l.buffers.Get().(*bufio.Reader)
	if !ok {
		buffer = bufio.NewReaderSize(nil, lineBuffer)
	}
	buffer.Reset(source)
	defer func() {
		buffer.Reset(nil)
		l.buffers.Put(buffer)
		source.Free(lineBuffer)
	}()
	batch := lineBatch{source: source}
	for first := true; ; first = false {
		line, tooLong, err := readLine(buffer)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if first {
			line = unmarked(line)
		}
		if len(line) > 0 || tooLong {
			if err := batch.add(line, tooLong); err != nil {
				return nil, err
			}
		}
		if err != nil {
			break
		}
	}
	if len(batch.drafts) == 0 {
		return nil, errEmptyBatch
	}
	return batch.drafts, nil
}

// readLine returns the next line without surrounding white space. It is valid until the next call. A line longer than the
// longest event is skipped. err is io.EOF with the last line.
func readLine(lines *bufio.Reader) (line []byte, tooLong bool, err error) {
	line, err = lines.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = lines.ReadSlice('\n')
		}
		return nil, true, err
	}
	line = bytes.Trim(line, " \t\r\n")
	return line, len(line) > event.MaxBytes, err
}

// lineBatch holds what is kept of a body.
type lineBatch struct {
	source     Source
	drafts     []event.Draft
	names      names
	properties arena
	spare      spare
}

// add decodes a line and charges what is kept of it to the request.
func (b *lineBatch) add(line []byte, tooLong bool) error {
	if len(b.drafts) == event.MaxBatch {
		return errBatchTooLarge
	}
	before := b.size()
	if n := len(b.drafts); n == cap(b.drafts) { // the number of lines is unknown
		b.drafts = slices.Grow(b.drafts, min(max(firstDrafts, 3*n), event.MaxBatch-n))
	}
	b.drafts = append(b.drafts, event.Draft{})
	d := &b.drafts[len(b.drafts)-1]
	b.spare.give(&d.FactDraft)
	b.decode(d, line, tooLong)
	b.spare.take(&d.FactDraft)
	texts := 0
	for _, p := range d.Problems {
		texts += problemSize + len(p.Pointer) + len(p.Detail)
	}
	return b.source.Keep(b.size() - before + texts)
}

// size is the memory of the batch without the problems of its drafts.
func (b *lineBatch) size() int { return cap(b.drafts)*draftSize + b.names.size + b.properties.size }

func (b *lineBatch) decode(d *event.Draft, line []byte, tooLong bool) {
	if tooLong {
		refuseTooLarge(d)
		return
	}
	s := scanner{data: line, names: &b.names}
	err := s.event(d)
	if err == nil {
		err = s.end()
	}
	if err != nil {
		*d = event.Draft{}
		d.RefuseWhole(event.CodeMalformed, fmt.Sprintf("The line is not valid JSON: %s.", err))
		return
	}
	if d.Refused() {
		d.Properties = nil
	}
	d.Properties = b.properties.keep(d.Properties) // the buffer is reused for the next line
}
