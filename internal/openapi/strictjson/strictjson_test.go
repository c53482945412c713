package strictjson_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/hp-analytics/hp-analytics/internal/openapi/strictjson"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		in   string
		want any
	}{
		{`null`, nil},
		{` true `, true},
		{`12345678901234567890`, json.Number("12345678901234567890")},
		{`"a\u00e9\ud83d\ude00\\u0000"`, `aé😀\u0000`},
		{`[]`, []any{}},
		{`{}`, map[string]any{}},
		{`{"a":[1,{"b":null}],"A":"x"}`, map[string]any{"a": []any{json.Number("1"), map[string]any{"b": nil}}, "A": "x"}},
		{strings.Repeat("[", 64) + strings.Repeat("]", 64), nested(64)},
	} {
		got, err := strictjson.Parse([]byte(tc.in))
		if err != nil {
			t.Errorf("Parse(%s): %v", tc.in, err)
		}
		if !reflect.DeepEqual(got, tc.want) { // cmp.Diff needs exponential time for deep nesting
			t.Errorf("Parse(%s) = %#v, want %#v", tc.in, got, tc.want)
		}
	}
}

func nested(depth int) any {
	value := []any{}
	for range depth - 1 {
		value = []any{value}
	}
	return value
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, in, detail, pointer string
	}{
		{name: "nothing", in: ``, detail: "not valid JSON"},
		{name: "broken", in: `{"a":`, detail: "at byte 5"},
		{name: "trailing document", in: `{} {}`, detail: "at byte 4"},
		{name: "trailing garbage", in: `{}x`, detail: "at byte 3"},
		{name: "trailing comma", in: `[1,]`, detail: "at byte 4"},
		{name: "byte order mark", in: "\ufeff{}", detail: "at byte 1"},
		{name: "not UTF-8", in: "\"\xff\"", detail: "UTF-8"},
		{name: "high surrogate alone", in: `"\ud83d"`, detail: "surrogate"},
		{name: "low surrogate alone", in: `"\ude00"`, detail: "surrogate"},
		{name: "surrogates swapped", in: `"\ude00\ud83d"`, detail: "surrogate"},
		{name: "surrogate behind a backslash", in: `"\\\ud83dx"`, detail: "surrogate"},
		{name: "two equal names", in: `{"x/y":{"~":1,"a":2,"~":3}}`, detail: "same name", pointer: "/x~1y/~0"},
		{name: "two names equal after decoding", in: `[{"a":1,"\u0061":2}]`, detail: "same name", pointer: "/0/a"},
		{name: "control character", in: "\"a\tb\"", detail: "at byte 3"},
		{name: "unknown escape", in: `"a\x"`, detail: "at byte 4"},
		{name: "half an escape", in: `"\u00`, detail: "at byte 5"},
		{name: "escape without digits", in: `"\u00zz"`, detail: "at byte 3"},
		{name: "half a literal", in: `[tru]`, detail: "at byte 5"},
		{name: "leading zero", in: `[01]`, detail: "at byte 2"},
		{name: "two equal names deep inside", in: `{"a":[0,{"b":{"c":1,"c":2}}]}`, detail: "same name", pointer: "/a/1/b/c"},
		{name: "long name", in: `{"` + strings.Repeat("x", 1025) + `":1}`, detail: "1024 bytes"},
		{name: "too deep", in: strings.Repeat("[", 65) + strings.Repeat("]", 65), detail: "64 levels"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := strictjson.Parse([]byte(tc.in))
			if !errs.Is(err, errs.Malformed) || errs.CodeOf(err) != "malformed_json" || !strings.Contains(err.Error(), tc.detail) {
				t.Fatalf("error %v, want malformed_json with %q", err, tc.detail)
			}
			if tc.pointer != "" && !strings.Contains(err.Error(), tc.pointer+" duplicate_field") {
				t.Errorf("error %v does not point to %s", err, tc.pointer)
			}
		})
	}
}

// FuzzParse checks that what Parse takes is what encoding/json reads, and that it calls nothing a syntax error that is none.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,2.5e3,"x",null,true]}`, `{"a":1,"a":2}`, `"\ud83d\ude00"`, `"\ud83d"`, `[[[]]]`, "\xff", `{} `,
		` {"a" : [1, -0.5e+3, true, false, null, "x\n\"\\\/"], "b":{"c":""}} `, `"\u0041"`, `[1,]`, `{"a":1,}`, `01`, `1 2`, `-`, `1e`,
		"\"\t\"", `"a\`, `"\x"`, `tru`, `truest`, `nul`, `{"a"}`, `{a:1}`, `[`, `{"a":`, ``, ` `,
		strings.Repeat("[", 64) + strings.Repeat("]", 64), strings.Repeat("[", 65) + strings.Repeat("]", 65),
		"\"grüße, 商品 😀\"", "\x00", "1\x00", `"\u00`, `"\ud83d\u"`, `"\ud83d\ud83d\ude00"`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := strictjson.Parse(data)
		if err != nil {
			if !errs.Is(err, errs.Malformed) {
				t.Fatalf("Parse(%q): %v, want a malformed error", data, err)
			}
			if strings.Contains(err.Error(), "not valid JSON") && json.Valid(data) {
				t.Fatalf("Parse(%q): %v, but it is valid", data, err)
			}
			return
		}
		decoder := json.NewDecoder(strings.NewReader(string(data)))
		decoder.UseNumber()
		var want any
		if err := decoder.Decode(&want); err != nil {
			t.Fatalf("Parse takes %q, encoding/json says %v", data, err)
		}
		if !reflect.DeepEqual(got, want) { // cmp takes exponential time for deep nesting
			t.Fatalf("Parse(%q) = %#v, encoding/json reads %#v", data, got, want)
		}
	})
}

func TestParseEnvelope(t *testing.T) {
	t.Parallel()
	raw := func(items ...string) []json.RawMessage {
		list := make([]json.RawMessage, len(items))
		for i, item := range items {
			list[i] = json.RawMessage(item)
		}
		return list
	}
	items := []string{`{"a":1,"a":2}`, `"\ud83d"`, `null`, `1.5e3`, `true`, `[[]]`, `{"b":"]}\"\\"}`, "\"\xff\""}
	deep := strings.Repeat("[", 70) + strings.Repeat("]", 70)
	for in, want := range map[string]any{
		` {"items": [` + strings.Join(items, ", ") + `], "x":["y"]} `: map[string]any{"items": raw(items...), "x": []any{"y"}},
		`{"items":[ 1 ]}`:          map[string]any{"items": raw("1 ")},
		`{"items":[ ]}`:            map[string]any{"items": raw()},
		`{"items":{"a":1}}`:        map[string]any{"items": map[string]any{"a": json.Number("1")}},
		`[{"items":[1]}]`:          []any{map[string]any{"items": []any{json.Number("1")}}},
		`{"x":{"items":[1]}}`:      map[string]any{"x": map[string]any{"items": []any{json.Number("1")}}},
		`{"items":[` + deep + `]}`: map[string]any{"items": raw(deep)},
	} {
		if got, err := strictjson.ParseEnvelope([]byte(in), "items"); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %#v, %v, want %#v", in, got, err, want)
		}
	}
	for _, in := range []string{
		`{"items":[{]}`, `{"items":[1,]}`, `{"items":[1]`, `{"items":[],"items":[]}`, `{"x":"\ud83d","items":[]}`, "{\"x\":\"\xff\"}", "{\"\xff\":1}",
	} {
		if got, err := strictjson.ParseEnvelope([]byte(in), "items"); !errs.Is(err, errs.Malformed) {
			t.Errorf("%s: %#v, %v, want it refused", in, got, err)
		}
	}
}
