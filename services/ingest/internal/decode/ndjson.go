package decode

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// NDJSON reads one event from each line of r. It holds one line at a time, and of the events only what they keep. A
// line that is not JSON, or too long, is refused in its draft; errors are r's own and those of the batch as a whole.
func NDJSON(r io.Reader) ([]event.Draft, error) {
	lines := bufio.NewReaderSize(r, event.MaxBytes+2) // a line break may follow: \r\n
	var drafts []event.Draft
	for {
		line, tooLong, err := readLine(lines)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if len(line) > 0 || tooLong {
			if len(drafts) == event.MaxBatch {
				return nil, errBatchTooLarge
			}
			drafts = append(drafts, lineEvent(line, tooLong))
		}
		if err != nil {
			break
		}
	}
	if len(drafts) == 0 {
		return nil, errEmptyBatch
	}
	return drafts, nil
}

// readLine returns the next line without white space around it, valid until the next call. A line that is longer than
// an event may be is read over. err is io.EOF with the last line.
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

func lineEvent(line []byte, tooLong bool) event.Draft {
	var d event.Draft
	if tooLong {
		refuseTooLarge(&d)
		return d
	}
	s := scanner{data: line}
	err := s.event(&d)
	if err == nil {
		err = s.end()
	}
	if err != nil {
		d = event.Draft{}
		d.RefuseWhole(event.CodeMalformed, fmt.Sprintf("The line is not valid JSON: %s.", err))
		return d
	}
	d.Properties = bytes.Clone(d.Properties) // the line's memory is used again
	return d
}
