// Package rows writes rows of an answer as CSV or as NDJSON. A row is a JSON object, so that one writer serves every answer.
package rows

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"io"
)

// Writer writes rows in one format. It is not safe for concurrent use.
type Writer struct {
	buffer  *bufio.Writer
	csv     *csv.Writer // nil for NDJSON
	columns []string
	cells   []string
}

// bufferBytes is how much is written at once.
const bufferBytes = 64 << 10

// NewWriter returns a writer of rows to w. CSV has exactly the given columns, and begins with a line of their names. A column is
// the name of a member, or a path of names joined by dots (product.sku). NDJSON has the objects as they are.
func NewWriter(w io.Writer, format Format, columns []string) (*Writer, error) {
	writer := &Writer{buffer: bufio.NewWriterSize(w, bufferBytes), columns: columns}
	if format != CSV {
		return writer, nil
	}
	writer.csv = csv.NewWriter(writer.buffer)
	writer.csv.UseCRLF = true // RFC 4180
	writer.cells = make([]string, len(columns))
	if err := writer.csv.Write(columns); err != nil {
		return nil, fmt.Errorf("write the header: %w", err)
	}
	return writer, nil
}

// Write writes one row, which is an encoded JSON object without line breaks.
func (w *Writer) Write(object []byte) error {
	if w.csv == nil {
		if _, err := w.buffer.Write(object); err != nil {
			return fmt.Errorf("write a row: %w", err)
		}
		if err := w.buffer.WriteByte('\n'); err != nil {
			return fmt.Errorf("write a row: %w", err)
		}
		return nil
	}
	if err := cells(object, w.columns, w.cells); err != nil {
		return err
	}
	if err := w.csv.Write(w.cells); err != nil {
		return fmt.Errorf("write a row: %w", err)
	}
	return nil
}

// Flush writes what is buffered.
func (w *Writer) Flush() error {
	if w.csv != nil {
		w.csv.Flush()
		if err := w.csv.Error(); err != nil {
			return fmt.Errorf("flush rows: %w", err)
		}
	}
	if err := w.buffer.Flush(); err != nil {
		return fmt.Errorf("flush rows: %w", err)
	}
	return nil
}
