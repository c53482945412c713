package decode

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// valid reports whether the scanner takes data for one JSON document.
func valid(data []byte) bool {
	s := scanner{data: data}
	return s.skip(1) == nil && s.end() == nil
}

// documents are valid and invalid JSON around every rule of the grammar.
var documents = []string{
	`{}`, `[]`, `""`, `0`, `-0`, `null`, `true`, `false`, ` { "a" : [ 1 , 2 ] } `, "\t\r\n[]\n",
	`{"a":1,"a":2}`, `{"":{"":[[],{}]}}`, `1.5e10`, `-1E-5`, `1e+5`, `0.0`,
	`"\"\\\/\b\f\n\r\t\u0041\u00e9\ud83d\ude00"`, `"\u0000"`, `"\ud800"`, `"\udc00\ud800"`, `"\ud800\u0041"`, `"é😀"`,
	``, ` `, `{`, `}`, `[`, `]`, `{]`, `[}`, `{"a"}`, `{"a":}`, `{"a":1,}`, `[1,]`, `[,1]`, `[1 2]`, `{"a":1 "b":2}`, `{a:1}`, `{"a" 1}`,
	`01`, `-`, `+1`, `.5`, `1.`, `1e`, `1e+`, `--1`, `0x10`, `1_000`, `NaN`, `Infinity`,
	`nul`, `nulll`, `True`, `tru e`, `"`, `"a`, `"\`, `"\x"`, `"\u12"`, `"\u12G4"`, "\"\n\"", "\"\x00\"", "\"\x1f\"", `'a'`,
	`{} {}`, `1 2`, `[]]`, "[]\x00", "\x00", "\ufeff{}", "\"\xff\"", "\"\xc3\"", "{\"\xed\xa0\x80\":1}",
}

func TestScannerTakesWhatEncodingJSONTakes(t *testing.T) {
	t.Parallel()
	for _, document := range documents {
		if got, want := valid([]byte(document)), json.Valid([]byte(document)); got != want {
			t.Errorf("%q: valid is %t, encoding/json says %t", document, got, want)
		}
	}
}

func TestScannerBoundsNesting(t *testing.T) {
	t.Parallel()
	for depth, want := range map[int]bool{maxDepth: true, maxDepth + 1: false, 5 << 20: false} {
		document := strings.Repeat("[", depth) + strings.Repeat("]", depth)
		if got := valid([]byte(document)); got != want {
			t.Errorf("%d levels: valid is %t", depth, got)
		}
	}
}

func FuzzScanner(f *testing.F) {
	for _, document := range documents {
		f.Add([]byte(document))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if got, want := valid(data), json.Valid(data); got != want {
			t.Fatalf("%q: valid is %t, encoding/json says %t", data, got, want)
		}
		s := scanner{data: data}
		if s.peek() != '"' {
			return
		}
		text, err := s.text()
		if err != nil || s.end() != nil {
			return
		}
		var want string
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatalf("%q is read as %q, encoding/json says %v", data, text, err)
		}
		if got := bytes.ToValidUTF8(text, []byte("\ufffd")); s.notes&notUTF8 == 0 && string(got) != want {
			t.Fatalf("%q is read as %q, encoding/json says %q", data, text, want)
		}
	})
}
