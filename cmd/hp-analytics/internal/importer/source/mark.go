package source

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Mark says why the row behind it was refused. In a file it is a line of its own, which readers of rows skip.
type Mark struct {
	Line   int64  `json:"line"`         // of the row in its own file
	ID     string `json:"id,omitempty"` // of the row's item; a mended row has the same
	Reason string `json:"reason"`
}

const markStart = "#!refused "

// Append adds the mark as a line.
func (m Mark) Append(to []byte) ([]byte, error) {
	text, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode the reason of line %d: %w", m.Line, err)
	}
	return append(append(append(to, markStart...), text...), '\n'), nil
}

// ParseMark reads a line that may be a mark.
func ParseMark(line []byte) (m Mark, ok bool) {
	text, ok := bytes.CutPrefix(line, []byte(markStart))
	return m, ok && json.Unmarshal(text, &m) == nil
}
