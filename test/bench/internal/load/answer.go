package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// errForm says that an answer is not one that this package can read.
var errForm = errors.New("not an HTTP/1.1 answer with a Content-Length")

// readAnswer reads an answer to its end and returns its status. It keeps nothing and allocates nothing.
func readAnswer(r *bufio.Reader) (status int, err error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return 0, fmt.Errorf("read a status line: %w", err)
	}
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) || len(line) < len("HTTP/1.1 200") {
		return 0, errForm
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, errForm
	}
	length := -1
	for {
		if line, err = r.ReadSlice('\n'); err != nil {
			return 0, fmt.Errorf("read a header: %w", err)
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		const name = "Content-Length:"
		if len(line) > len(name) && bytes.EqualFold(line[:len(name)], []byte(name)) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[len(name):]))); err != nil {
				return 0, errForm
			}
		}
	}
	if length < 0 {
		if status != 204 && status != 304 {
			return 0, errForm
		}
		length = 0
	}
	if _, err := r.Discard(length); err != nil {
		return 0, fmt.Errorf("read a body: %w", err)
	}
	return status, nil
}
