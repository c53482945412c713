package source

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hp-analytics/hp-analytics/internal/platform/jsonerr"
)

// Row is one row of a file. A row with an Err has no values.
type Row struct {
	Number int64  // from 0
	Line   int64  // on which it begins, from 1
	Text   string // as it stands in the file, in UTF-8
	// Origin identifies the row that this one was mended from; empty unless the file has the refused rows of an import.
	Origin string
	Err    error

	columns map[string]int
	values  []string
	object  map[string]json.RawMessage
}

// Rows reads the rows of a file one after the other.
type Rows struct {
	Format string   // CSV or NDJSON
	Header []string // the columns of CSV
	// HeaderText is the first row of a CSV file as it stands there; empty if the columns were declared.
	HeaderText string

	scanner scanner
	columns map[string]int
	feed    *feed
	csv     *csv.Reader
	number  int64
}

// NewRows begins to read a file.
func NewRows(f *File, format Format) (*Rows, error) {
	delimiter, err := format.delimiter()
	if err != nil {
		return nil, err
	}
	r := &Rows{Format: format.Format, Header: format.Header, scanner: scanner{text: f.text, line: 1}}
	if r.Format == "" {
		r.Format = detect(f)
	}
	if r.Format == NDJSON {
		return r, nil
	}
	if delimiter == 0 {
		delimiter = detectDelimiter(f, r.Header)
	}
	r.scanner.delimiter = delimiter
	r.feed = &feed{}
	r.csv = csv.NewReader(r.feed)
	r.csv.Comma, r.csv.LazyQuotes, r.csv.FieldsPerRecord = rune(delimiter), format.LazyQuotes, -1
	if len(r.Header) == 0 {
		if err := r.readHeader(); err != nil {
			return nil, fmt.Errorf("read the columns from the first row: %w", err)
		}
	}
	r.columns = make(map[string]int, len(r.Header))
	for i, column := range r.Header {
		if _, twice := r.columns[column]; twice {
			return nil, fmt.Errorf("two columns are called %q", column)
		}
		r.columns[column] = i
	}
	return r, nil
}

// detect returns the format of a file by its first character.
func detect(f *File) string {
	for n := 1; ; n++ {
		start, err := f.text.Peek(n)
		if err != nil {
			return CSV
		}
		switch start[n-1] {
		case ' ', '\t', '\r', '\n':
		case '{':
			return NDJSON
		case '#':
			return detectBehindMark(f)
		default:
			return CSV
		}
	}
}

// detectBehindMark returns the format of a file that may begin with the mark of a refused row.
func detectBehindMark(f *File) string {
	_, _ = f.text.Peek(f.text.Size()) // fills the buffer; a shorter file is an error without meaning
	start, _ := f.text.Peek(f.text.Buffered())
	if _, behind, _ := bytes.Cut(start, []byte{'\n'}); bytes.HasPrefix(start, []byte(markStart)) && bytes.HasPrefix(behind, []byte{'{'}) {
		return NDJSON
	}
	return CSV
}

func (r *Rows) readHeader() error {
	for {
		record, line, err := r.scanner.next()
		if errors.Is(err, io.EOF) {
			return errors.New("the file is empty")
		}
		if err != nil {
			return err
		}
		if len(bytes.TrimSpace(record)) == 0 || bytes.HasPrefix(record, []byte(markStart)) {
			continue
		}
		r.HeaderText = string(record)
		r.feed.record = append(slices.Clone(record), '\n')
		columns, err := r.csv.Read()
		if !utf8.Valid(record) {
			return notUTF8(line, r.HeaderText, columns, nil)
		}
		for _, column := range columns {
			r.Header = append(r.Header, strings.TrimSpace(column))
		}
		return err
	}
}

// Next returns the next row. io.EOF ends the file; any other error means that the file cannot be read further.
func (r *Rows) Next() (*Row, error) {
	origin := ""
	for {
		record, line, err := r.scanner.next()
		if err != nil && !errors.Is(err, errTooLong) {
			return nil, err
		}
		if len(bytes.TrimSpace(record)) == 0 {
			continue
		}
		if mark, ok := ParseMark(record); ok {
			origin = mark.ID
			continue
		}
		row := &Row{Number: r.number, Line: line, Text: string(record), Origin: origin, Err: err, columns: r.columns}
		r.number++
		if row.Err == nil {
			row.Err = r.parse(row)
		}
		return row, nil
	}
}

func (r *Rows) parse(row *Row) error {
	if r.Format == NDJSON {
		if !utf8.ValidString(row.Text) {
			return notUTF8(row.Line, row.Text, nil, nil)
		}
		if err := json.Unmarshal([]byte(row.Text), &row.object); err != nil {
			return fmt.Errorf("the line is no JSON object: %w", jsonerr.Explain(err))
		}
		return nil
	}
	r.feed.record = []byte(row.Text + "\n")
	values, err := r.csv.Read()
	if !utf8.ValidString(row.Text) {
		r.feed.record = nil
		return notUTF8(row.Line, row.Text, values, r.Header)
	}
	if parseErr, ok := errors.AsType[*csv.ParseError](err); ok {
		r.feed.record = nil
		return fmt.Errorf("character %d: %w", parseErr.Column, parseErr.Err)
	}
	if err != nil {
		return err
	}
	if len(values) != len(r.Header) {
		return fmt.Errorf("the row has %d values, and the file has %d columns", len(values), len(r.Header))
	}
	row.values = values
	return nil
}

// Get returns the text of a column, and whether the row has one. An empty text of CSV is none, as null is in JSON. Members of
// JSON objects within the row have dotted names.
func (r *Row) Get(column string) (string, bool) {
	if r.object == nil {
		if i, ok := r.columns[column]; ok && i < len(r.values) {
			text := strings.TrimSpace(r.values[i])
			return text, text != ""
		}
		return "", false
	}
	raw, ok := r.member(column)
	if !ok {
		return "", false
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text, text != ""
	}
	return string(raw), true
}

// JSON returns the value of a column in JSON, and whether the row has one.
func (r *Row) JSON(column string) (json.RawMessage, bool) {
	if r.object != nil {
		return r.member(column)
	}
	text, ok := r.Get(column)
	if !ok {
		return nil, false
	}
	raw, err := json.Marshal(text)
	return raw, err == nil
}

func (r *Row) member(name string) (json.RawMessage, bool) {
	if raw, ok := r.object[name]; ok {
		return raw, string(raw) != "null"
	}
	outer, inner, nested := strings.Cut(name, ".")
	object := r.object
	for nested {
		var next map[string]json.RawMessage
		if json.Unmarshal(object[outer], &next) != nil {
			return nil, false
		}
		if raw, ok := next[inner]; ok {
			return raw, string(raw) != "null"
		}
		object = next
		outer, inner, nested = strings.Cut(inner, ".")
	}
	return nil, false
}

// feed gives a csv.Reader one record at a time. It ends after each, so that the reader never takes one record for the
// continuation of the one before; csv.Reader goes on after an end.
type feed struct{ record []byte }

// Read implements io.Reader.
func (f *feed) Read(p []byte) (int, error) {
	if len(f.record) == 0 {
		return 0, io.EOF
	}
	n := copy(p, f.record)
	f.record = f.record[n:]
	return n, nil
}
