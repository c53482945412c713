package api

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/platform/body"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

func TestItemsOf(t *testing.T) {
	t.Parallel()
	const bom = "\ufeff"
	tests := map[string]struct {
		data   string
		format body.Format
		want   []string
		codes  []string // of the request: pointer and code
	}{
		"document":                {`{"products":[{"sku":"A"},2, "\ud83d"]}`, body.JSON, []string{`{"sku":"A"}`, `2`, `"\ud83d"`}, nil},
		"document with a mark":    {bom + ` {"products":[1]}` + "\r\n", body.JSON, []string{`1`}, nil},
		"lines":                   {"{\"sku\":\"A\"}\n{\"sku\":\"B\"}\n", body.NDJSON, []string{`{"sku":"A"}`, `{"sku":"B"}`}, nil},
		"no break at the end":     {"1\n2", body.NDJSON, []string{`1`, `2`}, nil},
		"mark, CRLF, blank lines": {bom + "1\r\n\r\n \t\n2\r\n\n", body.NDJSON, []string{`1`, `2`}, nil},
		"no JSON in a line":       {"1\n{\n2\n", body.NDJSON, []string{`1`, `{`, `2`}, nil},
		"most lines":              {strings.Repeat("1\n", 1000), body.NDJSON, slicesOf("1", 1000), nil},
		"too many lines":          {strings.Repeat("1\n", 1001), body.NDJSON, nil, []string{"/products too_long"}},
		"too many items":          {`{"products":[` + strings.Repeat("1,", 1000) + `1]}`, body.JSON, nil, []string{"/products too_long"}},
		"no lines":                {"\n\r\n ", body.NDJSON, nil, []string{"/products too_short"}},
		"no items":                {`{"products":[]}`, body.JSON, nil, []string{"/products too_short"}},
		"no products":             {`{"items":[],"a/b":1}`, body.JSON, nil, []string{"/a~1b unknown_field", "/items unknown_field", "/products required"}},
		"products are an object":  {`{"products":{}}`, body.JSON, nil, []string{"/products wrong_type"}},
		"null products":           {`{"products":null}`, body.JSON, nil, []string{"/products wrong_type"}},
		"a list":                  {`[{"sku":"A"}]`, body.JSON, nil, []string{" wrong_type"}},
		"nothing":                 {"", body.JSON, nil, []string{}},
		"no JSON":                 {"sku,name", body.JSON, nil, []string{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			items, err := itemsOf([]byte(test.data), test.format)
			if refusal, ok := errors.AsType[*errs.Error](err); ok != (test.codes != nil) {
				t.Fatalf("error %v", err)
			} else if ok {
				codes := []string{}
				for _, f := range refusal.Fields {
					codes = append(codes, f.Pointer+" "+f.Code)
				}
				if diff := cmp.Diff(test.codes, codes); diff != "" {
					t.Errorf("problems (-want +got):\n%s", diff)
				}
				return
			}
			var got []string
			for _, item := range items {
				got = append(got, string(item))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("items (-want +got):\n%s", diff)
			}
		})
	}
}

func slicesOf(item string, n int) []string {
	return strings.Split(strings.TrimSuffix(strings.Repeat(item+",", n), ","), ",")
}

// FuzzItemsOf checks that an item of a document is one JSON value, whatever it is read from.
func FuzzItemsOf(f *testing.F) {
	f.Add(`{"products":[{"sku":"A"},[1,"]}"],null]}`)
	f.Add("\ufeff{\"products\":[1 ,\"\\\"\"]}")
	f.Fuzz(func(t *testing.T, data string) {
		items, err := itemsOf([]byte(data), body.JSON)
		if _, ok := errors.AsType[*errs.Error](err); err != nil && !ok {
			t.Fatalf("%q: an error without a kind: %v", data, err)
		}
		for _, item := range items {
			if !json.Valid(item) {
				t.Fatalf("%q: the item %q is no JSON", data, item)
			}
		}
		if _, err := itemsOf([]byte(data), body.NDJSON); err != nil && !errs.Is(err, errs.Invalid) {
			t.Fatalf("%q as lines: %v", data, err)
		}
	})
}
