package decode

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// counted is a source that notes what is kept of it.
type counted struct {
	io.Reader

	kept, most, room int
}

var errFull = errors.New("no room")

func (c *counted) Keep(n int) error {
	if c.kept+n > c.room {
		return errFull
	}
	c.kept += n
	c.most = max(c.most, c.kept)
	return nil
}

func (c *counted) Free(n int) { c.kept -= n }

// ndjson decodes a body with room enough.
func ndjson(r io.Reader) ([]event.Draft, error) {
	return new(Lines).Events(&counted{Reader: r, room: 1 << 30})
}

// lines decodes an NDJSON body into one string a line: the type, then the problems.
func lines(t *testing.T, body string) []string {
	t.Helper()
	drafts, err := ndjson(iotest.OneByteReader(strings.NewReader(body)))
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, d := range drafts {
		list = append(list, strings.Join(append([]string{d.Type + string(d.Properties)}, problems(d.Problems)...), "|"))
	}
	return list
}

func TestNDJSON(t *testing.T) {
	t.Parallel()
	long := `{"type":"` + strings.Repeat("x", 3*event.MaxBytes) + `"}`
	for name, tc := range map[string]struct {
		body string
		want []string
	}{
		"one without a line break":  {`{"type":"a"}`, []string{"a"}},
		"line breaks of two kinds":  {"{\"type\":\"a\"}\r\n{\"type\":\"b\"}\n", []string{"a", "b"}},
		"a byte order mark":         {"\ufeff{\"type\":\"a\"}\n{\"type\":\"b\"}", []string{"a", "b"}},
		"empty lines do not count":  {"\n \n{\"type\":\"a\"}\n\n\t\n{\"type\":\"b\"}\n\n", []string{"a", "b"}},
		"a bad line":                {"{\"type\":\"a\"}\n{\"type\":\n{\"type\":\"b\"}", []string{"a", "| malformed_json", "b"}},
		"two values on a line":      {"{\"type\":\"a\"} {\"type\":\"b\"}\n", []string{"| malformed_json"}},
		"no object":                 {"[1]\n{\"type\":\"b\"}", []string{"| wrong_type", "b"}},
		"a line that is too long":   {"{\"type\":\"a\"}\n" + long + "\n{\"type\":\"b\"}", []string{"a", "| event_too_large", "b"}},
		"the last line is too long": {"{\"type\":\"a\"}\n" + long, []string{"a", "| event_too_large"}},
		"properties survive the next line": {
			"{\"type\":\"a\",\"properties\":{\"n\":1}}\n{\"type\":\"b\",\"properties\":{\"n\":2}}", []string{`a{"n":1}`, `b{"n":2}`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, lines(t, tc.body)); diff != "" {
				t.Errorf("lines (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNDJSONLineOfTheLargestSize(t *testing.T) {
	t.Parallel()
	frame := `{"type":"a","properties":{"a":""}}`
	fill := strings.Repeat("x", event.MaxBytes-len(frame))
	largest := strings.Replace(frame, `""`, `"`+fill+`"`, 1)
	for body, want := range map[string]bool{
		largest: true, largest + "\n": true, largest + "\r\n": true, largest + " \n": true,
		strings.Replace(frame, `""`, `"x`+fill+`"`, 1): false,
	} {
		drafts, err := ndjson(strings.NewReader(body))
		if err != nil || len(drafts) != 1 || drafts[0].Refused() == want {
			t.Errorf("%d bytes: %v, %v", len(body), problems(drafts[0].Problems), err)
		}
	}
}

func TestNDJSONAsAWhole(t *testing.T) {
	t.Parallel()
	line := "{\"type\":\"a\"}\n"
	for body, want := range map[string]string{
		"":                                     "invalid empty_batch",
		"\n\n \r\n":                            "invalid empty_batch",
		strings.Repeat(line, event.MaxBatch):   "<nil>",
		strings.Repeat(line, event.MaxBatch+1): "too_large batch_too_large",
	} {
		if _, err := ndjson(strings.NewReader(body)); refused(err) != want {
			t.Errorf("%d bytes: got %v, want %s", len(body), err, want)
		}
	}
	broken := errors.New("connection lost")
	if _, err := ndjson(io.MultiReader(strings.NewReader(line), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Errorf("half a body: got %v", err)
	}
}

func FuzzNDJSON(f *testing.F) {
	f.Add("{\"type\":\"a\"}\r\n\n{\"type\":\n7\n")
	f.Fuzz(func(t *testing.T, body string) {
		drafts, err := ndjson(strings.NewReader(body))
		if err != nil {
			return
		}
		want := 0
		for line := range strings.SplitSeq(body, "\n") {
			if strings.Trim(line, " \t\r") != "" {
				want++
			}
		}
		if len(drafts) != want && len(body) <= event.MaxBytes {
			t.Fatalf("%q: %d events of %d lines", body, len(drafts), want)
		}
		for _, d := range drafts {
			checkDraft(t, []byte(body), d.FactDraft)
		}
	})
}
