package source

import (
	"bytes"
	"strings"
)

// delimiters are those that are found by content, the most usual first.
const delimiters = ",;\t"

// detectDelimiter returns the delimiter of a CSV file: the one that its first row has most often outside quotes, or that gives it as many
// values as there are columns, if these were declared. It is a comma if the row has none.
func detectDelimiter(f *File, columns []string) byte {
	row := firstRow(f)
	best, most := delimiters[0], 0
	for _, delimiter := range []byte(delimiters) {
		n := countOutsideQuotes(row, delimiter)
		if len(columns) > 1 && n == len(columns)-1 {
			return delimiter
		}
		if n > most {
			best, most = delimiter, n
		}
	}
	return best
}

// firstRow returns the first line with a row, as far as it is in the buffer.
func firstRow(f *File) string {
	_, _ = f.text.Peek(f.text.Size()) // fills the buffer; a shorter file is an error without meaning
	start, _ := f.text.Peek(f.text.Buffered())
	for len(start) > 0 {
		line, rest, _ := bytes.Cut(start, []byte{'\n'})
		if text := string(line); strings.TrimSpace(text) != "" && !strings.HasPrefix(text, markStart) {
			return text
		}
		start = rest
	}
	return ""
}

func countOutsideQuotes(row string, delimiter byte) (n int) {
	quoted := false
	for i := range len(row) {
		switch {
		case row[i] == '"':
			quoted = !quoted
		case row[i] == delimiter && !quoted:
			n++
		}
	}
	return n
}
