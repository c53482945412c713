package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// errForm says that an answer is not one that this package can read.
var errForm = errors.New("not an HTTP/1.1 answer with a Content-Length or in chunks")

// answer is what a client has to know of an answer.
type answer struct {
	status  int
	length  int  // of the body; -1 if the header does not say
	chunked bool // the body is in chunks
	last    bool // the server closes the connection
}

// readAnswer reads an answer to its end. It keeps nothing of the body and allocates nothing.
func readAnswer(r *bufio.Reader) (a answer, err error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return a, fmt.Errorf("read a status line: %w", err)
	}
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) || len(line) < len("HTTP/1.1 200") {
		return a, errForm
	}
	if a.status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return a, errForm
	}
	if err := a.readHeader(r); err != nil {
		return a, err
	}
	if a.chunked {
		return a, discardChunks(r)
	}
	if a.length < 0 {
		if a.status != 204 && a.status != 304 {
			return a, errForm
		}
		a.length = 0
	}
	if _, err := r.Discard(a.length); err != nil {
		return a, fmt.Errorf("read a body: %w", err)
	}
	return a, nil
}

func (a *answer) readHeader(r *bufio.Reader) error {
	a.length = -1
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("read a header: %w", err)
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			return nil
		}
		if value, ok := field(line, "Content-Length:"); ok {
			if a.length, err = strconv.Atoi(string(value)); err != nil {
				return errForm
			}
		} else if value, ok := field(line, "Connection:"); ok && bytes.EqualFold(value, []byte("close")) {
			a.last = true
		} else if value, ok := field(line, "Transfer-Encoding:"); ok && bytes.EqualFold(value, []byte("chunked")) {
			a.chunked = true
		}
	}
}

// discardChunks reads a body in chunks to its end. It takes no trailers, which no service here sends.
func discardChunks(r *bufio.Reader) error {
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("read the size of a chunk: %w", err)
		}
		size, err := strconv.ParseUint(string(bytes.TrimSpace(line)), 16, 31)
		if err != nil {
			return errForm
		}
		if _, err := r.Discard(int(size) + len("\r\n")); err != nil {
			return fmt.Errorf("read a chunk: %w", err)
		}
		if size == 0 {
			return nil
		}
	}
}

// field returns the value of a header line with the given name.
func field(line []byte, name string) (value []byte, ok bool) {
	if len(line) < len(name) || !bytes.EqualFold(line[:len(name)], []byte(name)) {
		return nil, false
	}
	return bytes.TrimSpace(line[len(name):]), true
}
