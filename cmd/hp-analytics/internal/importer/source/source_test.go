package source_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer/source"
)

// read returns all rows of a text as "line: a=…, b=…" or "line: error".
func read(t testing.TB, text string, format source.Format) []string {
	t.Helper()
	f, err := source.Open(source.Stdin, strings.NewReader(text), format)
	if err != nil {
		return []string{err.Error()}
	}
	defer f.Close()
	rows, err := source.NewRows(f, format)
	if err != nil {
		return []string{err.Error()}
	}
	var got []string
	for {
		row, err := rows.Next()
		if errors.Is(err, io.EOF) {
			return got
		}
		if err != nil {
			return append(got, err.Error())
		}
		if row.Err != nil {
			got = append(got, fmt.Sprintf("%d: error: %v", row.Line, row.Err))
			continue
		}
		a, _ := row.Get("a")
		b, _ := row.Get("b")
		got = append(got, fmt.Sprintf("%d: a=%s, b=%s", row.Line, a, b))
	}
}

// convert is what an error about a charset says to do.
const convert = `Convert the file (iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW), or name its charset in the mapping (file: {charset: windows-1252})`

func TestRows(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", source.MaxRow)
	for name, c := range map[string]struct {
		text   string
		format source.Format
		want   []string
	}{
		"plain":               {"a,b\n1,2\n3,4", source.Format{}, []string{"2: a=1, b=2", "3: a=3, b=4"}},
		"BOM and CRLF":        {"\ufeffa,b\r\n1,2\r\n\r\n3,4\r\n", source.Format{}, []string{"2: a=1, b=2", "4: a=3, b=4"}},
		"semicolons":          {"a;b\n1,5;2\n", source.Format{Delimiter: ";"}, []string{"2: a=1,5, b=2"}},
		"tabs":                {"a\tb\n1\t\n", source.Format{Delimiter: "\t"}, []string{"2: a=1, b="}},
		"quoted line breaks":  {"a,b\n\"x\ny\",\"say \"\"hi\"\"\"\n1,2\n", source.Format{}, []string{"2: a=x\ny, b=say \"hi\"", "4: a=1, b=2"}},
		"delimiter in quotes": {"a,b\n\"x,y\",2\n", source.Format{}, []string{"2: a=x,y, b=2"}},
		"declared columns":    {"1,2\n", source.Format{Header: []string{"b", "a"}}, []string{"1: a=2, b=1"}},
		"ragged": {"a,b\n1\n1,2,3\n1,2\n", source.Format{}, []string{
			"2: error: the row has 1 values, and the file has 2 columns", "3: error: the row has 3 values, and the file has 2 columns", "4: a=1, b=2",
		}},
		"a bare quote costs one row": {"a,b\n9/16\" nut,2\n3,4\n", source.Format{}, []string{"2: error: character 5: bare \" in non-quoted-field", "3: a=3, b=4"}},
		"lazy quotes":                {"a,b\n9/16\" nut,2\n3,4\n", source.Format{LazyQuotes: true}, []string{"2: a=9/16\" nut, b=2", "3: a=3, b=4"}},
		"an open quote costs one line": {"a,b\n\"x,2\n3,4\n5,6\n", source.Format{}, []string{
			"2: error: the row does not end within 1 MiB; is a quote missing?", "3: a=3, b=4", "4: a=5, b=6",
		}},
		"an open quote in the last line": {"a,b\n3,4\n\"x,2", source.Format{}, []string{"2: a=3, b=4", "3: error: character 6: extraneous or missing \" in quoted-field"}},
		"text behind a quote":            {"a,b\n\"x\"y,2\n3,4\n", source.Format{}, []string{"2: error: character 3: extraneous or missing \" in quoted-field", "3: a=3, b=4"}},
		"a long line is read in pieces":  {"a,b\n" + long + "\n1,2\n", source.Format{}, []string{"2: error: the row does not end within 1 MiB; is a quote missing?", "3: a=1, b=2"}},
		"not UTF-8":                      {"a,b\n1,caf\xe9\n3,4\n", source.Format{}, []string{`2: error: line 2, column "b": the text is not UTF-8 behind "caf" (byte 0xE9). ` + convert, "3: a=3, b=4"}},
		"columns that are not UTF-8":     {"a,gr\xf6\xdfe\n1,2\n", source.Format{}, []string{`read the columns from the first row: line 1, column 2: the text is not UTF-8 behind "gr" (byte 0xF6). ` + convert}},
		"NDJSON that is not UTF-8":       {"{\"a\":\"\xe9\"}\n", source.Format{}, []string{`1: error: line 1: the text is not UTF-8 behind "{\"a\":\"" (byte 0xE9). ` + convert}},
		"semicolons, by content":         {"a;b;c\n1,5;2;\n", source.Format{}, []string{"2: a=1,5, b=2"}},
		"tabs, by content":               {"a\tb\n1\t2\n", source.Format{}, []string{"2: a=1, b=2"}},
		"commas, by content":             {"a,b,\"x;y;z\"\n1,2,\n", source.Format{}, []string{"2: a=1, b=2"}},
		"semicolons in refused rows":     {"#!refused {\"line\":7,\"reason\":\"a, b, c\"}\na;b\n1;2\n", source.Format{}, []string{"3: a=1, b=2"}},
		"semicolons, declared columns":   {"1,5;2,5\n", source.Format{Header: []string{"a", "b"}}, []string{"1: a=1,5, b=2,5"}},
		"an empty file":                  {"\n", source.Format{}, []string{"read the columns from the first row: the file is empty"}},
		"windows-1252":                   {"a,b\ncaf\xe9,\x80\n", source.Format{Charset: "windows-1252"}, []string{"2: a=café, b=€"}},
		"a mark says more":               {"\ufeffa,b\ncafé,€\n", source.Format{Charset: "windows-1252"}, []string{"2: a=café, b=€"}},
		"two equal columns":              {"a,a\n", source.Format{}, []string{`two columns are called "a"`}},
		"unknown charset":                {"a", source.Format{Charset: "klingon"}, []string{`unknown charset "klingon"`}},
		"refused rows":                   {"a,b\n#!refused {\"line\":7,\"id\":\"x\",\"reason\":\"y\"}\n1,2\n#1,2\n", source.Format{}, []string{"3: a=1, b=2", "4: a=#1, b=2"}},
		"NDJSON": {
			"\ufeff\n{\"a\":1.50,\"b\":\"x\"}\r\n{\"a\":null,\"b\":{\"c\":1}}\n[1]\n{\"a\"\n", source.Format{},
			[]string{
				"2: a=1.50, b=x", "3: a=, b={\"c\":1}",
				"4: error: the line is no JSON object: it is an array, which does not fit here",
				"5: error: the line is no JSON object: unexpected end of JSON input",
			},
		},
		"refused NDJSON": {"#!refused {\"line\":7,\"reason\":\"y\"}\n{\"a\":1}\n", source.Format{}, []string{"2: a=1, b="}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, read(t, c.text, c.format)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestNestedMembers(t *testing.T) {
	t.Parallel()
	f, err := source.Open(source.Stdin, strings.NewReader(`{"user":{"id":"u1","tags":{"x":7}},"dotted.name":"d"}`), source.Format{})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := source.NewRows(f, source.Format{})
	if err != nil {
		t.Fatal(err)
	}
	row, err := rows.Next()
	if err != nil || row.Err != nil {
		t.Fatal(err, row.Err)
	}
	for name, want := range map[string]string{"user.id": "u1", "user.tags.x": "7", "dotted.name": "d", "user.none": "", "none.id": "", "user.id.x": ""} {
		if got, _ := row.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// The same rows come out of every packing, whatever the file is called.
func TestPackings(t *testing.T) {
	t.Parallel()
	const text = "a,b\ncafé,€\n"
	want := []string{"2: a=café, b=€"}
	latin, err := charmap.Windows1252.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	wide, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	var zipped, zstded bytes.Buffer
	for range 2 { // a gzip file may have several members
		w := gzip.NewWriter(&zipped)
		part := text
		if zipped.Len() > 0 {
			part = ""
		}
		if _, err := w.Write([]byte(part)); err != nil || w.Close() != nil {
			t.Fatal(err)
		}
	}
	w, err := zstd.NewWriter(&zstded)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(latin)); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		content string
		format  source.Format
	}{
		"plain":            {text, source.Format{}},
		"gzip":             {zipped.String(), source.Format{}},
		"zstd, other text": {zstded.String(), source.Format{Charset: "windows-1252"}},
		"UTF-16":           {wide, source.Format{}},
	} {
		if diff := cmp.Diff(want, read(t, c.content, c.format)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if got := read(t, zipped.String()[:25], source.Format{}); len(got) != 1 || !strings.Contains(got[0], "unexpected EOF") {
		t.Errorf("half of a gzip file: %q", got)
	}
}

func TestFilesHaveASize(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "x.csv.gz") // which it is not
	if err := os.WriteFile(name, []byte("a,b\n1,2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := source.Open(name, nil, source.Format{})
	if err != nil {
		t.Fatal(err)
	}
	if f.Size != 8 || f.Read() != 8 {
		t.Errorf("size %d, read %d", f.Size, f.Read())
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

// FuzzRows checks that no text loses its lines: each line belongs to one row, in its order, or is blank, a mark or the header.
func FuzzRows(f *testing.F) {
	f.Add("a,b\n\"x\ny\",2\n", false)
	f.Add("a,b\n\"x\"\"y,2\n#!refused {}\n", true)
	f.Add("{\"a\":1}\n{\n", false)
	f.Fuzz(func(t *testing.T, text string, lazy bool) {
		format := source.Format{LazyQuotes: lazy}
		file, err := source.Open(source.Stdin, strings.NewReader(text), format)
		if err != nil {
			return
		}
		rows, err := source.NewRows(file, format)
		if err != nil {
			return
		}
		next, number := int64(1), int64(0)
		for {
			row, err := rows.Next()
			if err != nil {
				return
			}
			if row.Line < next || row.Number != number {
				t.Fatalf("row %d on line %d, after row %d and line %d", row.Number, row.Line, number, next)
			}
			if row.Text == "" || len(row.Text) > source.MaxRow {
				t.Fatalf("row %d has %d bytes", row.Number, len(row.Text))
			}
			next, number = row.Line+int64(strings.Count(row.Text, "\n")), number+1
		}
	})
}
