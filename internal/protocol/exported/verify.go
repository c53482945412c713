package exported

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
)

// Errors of a file that is no complete export.
var (
	ErrCut     = errors.New("the export is cut: its last line is no receipt, so lines are missing. Export the user again")
	ErrChanged = errors.New("the lines are not those that were exported")
)

// maxLine is more than the longest line: an event, or an order with all its lines.
const maxLine = 64 << 20

// Verify reads an export, and returns its receipt if the lines before it are those that the receipt counts. Its memory is that of
// one line.
func Verify(r io.Reader) (Receipt, error) {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(make([]byte, 0, 64<<10), maxLine)
	scanner.Split(wholeLines)
	sum := NewSum()
	var last *Receipt
	for n := int64(1); scanner.Scan(); n++ {
		if last != nil {
			return Receipt{}, fmt.Errorf("%w: line %d is after the receipt", ErrChanged, n)
		}
		var line struct {
			Kind    Kind     `json:"kind"`
			Receipt *Receipt `json:"receipt"`
		}
		switch err := json.Unmarshal(scanner.Bytes(), &line); {
		case err != nil && n == 1:
			return Receipt{}, errors.New("the file is no export of a user: its first line is no JSON object")
		case err != nil: // the part of a line that was sent before the stream was cut, or a line that was changed
			line.Kind = ""
		case line.Kind == Last && line.Receipt != nil:
			last = line.Receipt
			continue
		}
		sum.Add(line.Kind, scanner.Bytes())
	}
	if err := scanner.Err(); err != nil {
		return Receipt{}, fmt.Errorf("read the export: %w", err)
	}
	if last == nil {
		return Receipt{}, ErrCut
	}
	var found Receipt
	sum.Fill(&found)
	return *last, last.differs(found)
}

// wholeLines is bufio.ScanLines, except that a carriage return is part of its line.
func wholeLines(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}

// differs returns ErrChanged if what another receipt says of the lines is not what r says.
func (r Receipt) differs(other Receipt) error {
	switch {
	case r.Lines != other.Lines:
		return fmt.Errorf("%w: there are %d, the receipt counts %d", ErrChanged, other.Lines, r.Lines)
	case r.SHA256 != other.SHA256:
		return fmt.Errorf("%w: their SHA-256 is %s, the receipt has %s", ErrChanged, other.SHA256, r.SHA256)
	case !maps.Equal(r.Counts, other.Counts):
		return fmt.Errorf("%w: the receipt counts other kinds", ErrChanged)
	}
	return nil
}

// Matches returns ErrChanged unless r is the receipt that the platform has kept.
func (r Receipt) Matches(kept Receipt) error {
	if r.ID != kept.ID || r.RequestedBy != kept.RequestedBy || !r.SnapshotAt.Equal(kept.SnapshotAt) {
		return fmt.Errorf("%w: the receipt is not the one that the platform has kept", ErrChanged)
	}
	return kept.differs(r)
}
