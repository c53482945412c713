package source

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// errTooLong is the error of a row that does not end within MaxRow.
var errTooLong = errors.New("the row does not end within 1 MiB; is a quote missing?")

// scanner divides a text into records: lines, except that a line break within a quoted value of CSV does not end one.
type scanner struct {
	text      *bufio.Reader // with a buffer of MaxRow
	delimiter byte          // 0 if nothing is quoted
	line      int64         // of the next record, from 1
}

// next returns the next record without its line break, valid until the next call, and the line on which it begins. A quoted
// value that does not end costs its first line only: the next record begins behind it. Then the error is errTooLong; others end
// the text.
func (s *scanner) next() (record []byte, line int64, err error) {
	line = s.line
	length, err := s.length()
	if err != nil && !errors.Is(err, errTooLong) {
		return nil, line, err
	}
	window, _ := s.text.Peek(length) // length looked at them
	_, _ = s.text.Discard(length)    // they are in the buffer
	s.line += int64(bytes.Count(window, []byte{'\n'}))
	return bytes.TrimSuffix(bytes.TrimSuffix(window, []byte{'\n'}), []byte{'\r'}), line, err
}

// length returns the length of the next record with its line break.
func (s *scanner) length() (int, error) {
	quotes := quotes{delimiter: s.delimiter}
	seen, firstBreak := 0, 0
	for {
		if _, err := s.text.Peek(seen + 1); err != nil {
			return s.lengthAtEnd(seen, firstBreak, quotes.open, err)
		}
		window, _ := s.text.Peek(s.text.Buffered()) // they are in the buffer
		for ; seen < len(window); seen++ {
			c := window[seen]
			quotes.next(c)
			if c != '\n' {
				continue
			}
			if !quotes.open {
				return seen + 1, nil
			}
			if firstBreak == 0 {
				firstBreak = seen + 1
			}
		}
	}
}

func (s *scanner) lengthAtEnd(seen, firstBreak int, open bool, err error) (int, error) {
	switch {
	case errors.Is(err, bufio.ErrBufferFull), errors.Is(err, io.EOF) && open && firstBreak > 0:
		if firstBreak == 0 {
			firstBreak = seen // one line without an end: it is read in pieces
		}
		return firstBreak, errTooLong
	case errors.Is(err, io.EOF) && seen > 0:
		return seen, nil
	}
	return 0, err
}

// quotes follows the quotes of a CSV row as encoding/csv does: a quote at the beginning of a value opens it, and two quotes
// within it are one of the text.
type quotes struct {
	delimiter byte
	open      bool
	inside    bool // a value that has begun
	before    byte // the byte before, if it may have closed the value
}

func (q *quotes) next(c byte) {
	switch {
	case q.delimiter == 0:
	case q.open:
		q.open, q.before = c != '"', c
	case c == '"' && q.before == '"': // the second of two
		q.open, q.before = true, 0
	case c == '"' && !q.inside:
		q.open, q.inside = true, true
	default:
		q.inside, q.before = c != q.delimiter && c != '\n', 0
	}
}
