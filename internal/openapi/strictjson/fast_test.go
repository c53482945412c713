package strictjson

import (
	"reflect"
	"strings"
	"testing"
)

// FuzzFastParse holds what the fast way accepts against the slow one.
func FuzzFastParse(f *testing.F) {
	for _, seed := range []string{
		`{}`, `[]`, ` {"a" : [1, -0.5e+3, true, false, null, "x\n\"\\\/"], "b":{"c":""}} `, `"\u0041"`, `"\ud83d"`, `{"a":1,"a":2}`,
		`[1,]`, `{"a":1,}`, `01`, `1 2`, `-`, `1e`, "\"\t\"", `"a\`, `"\x"`, `tru`, `truest`, `nul`, `{"a"}`, `{a:1}`, `[`, `{"a":`, ``, ` `,
		strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth), strings.Repeat("[", maxDepth+1) + strings.Repeat("]", maxDepth+1),
		"\"grüße, 商品 😀\"", "\x00", "1\x00",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		value, ok := (&fast{[]byte(strings.ToValidUTF8(text, "?"))}).document()
		if !ok {
			return
		}
		want, err := parseSlowly([]byte(strings.ToValidUTF8(text, "?")))
		if err != nil {
			t.Fatalf("%q: accepted, but %v", text, err)
		}
		if !reflect.DeepEqual(want, value) { // cmp takes exponential time for deep nesting
			t.Errorf("%q: fast %#v, slow %#v", text, value, want)
		}
	})
}

// The documents that clients really send must not need the slow way.
func TestUsualDocumentsAreParsedFast(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{"products":[{"sku":"A-1","name":"Schöne \"Schuhe\"","price_minor":12900,"attributes":{"a":[1.5,-2,true,null],"b":{}}}, {}]}`,
		"{\n  \"email\": \"ada@example.com\",\n  \"password\": \"a\\\\b\"\n}\n",
		`[]`, `"x"`, `0`, `null`,
	} {
		if _, ok := (&fast{[]byte(text)}).document(); !ok {
			t.Errorf("%s takes the slow way", text)
		}
	}
}
