package apifuzz

import (
	"bytes"
	"strings"

	"github.com/hp-analytics/hp-analytics/internal/openapi/strictjson"
)

// textKinds change the text of a body, so that it is no strict JSON any more.
var textKinds = []way{
	rewriting("text: cut", func(m *maker, body []byte) []byte { return body[:m.IntN(len(body))] }),
	rewriting("text: empty", func(*maker, []byte) []byte { return nil }),
	rewriting("text: spaces", func(*maker, []byte) []byte { return []byte(" \t\r\n ") }),
	rewriting("text: more after it", func(_ *maker, body []byte) []byte { return append(bytes.TrimSpace(body), "{}"...) }),
	rewriting("text: no JSON", func(m *maker, _ []byte) []byte {
		texts := []string{"a=b&c=d", "<a/>", "{'a':1}", "{a:1}", "[1,]", `{"a":1,}`, "NaN", "// x\n{}", "\x1f\x8b\x08\x00", "%PDF-", strings.Repeat("{", 100)}
		return []byte(texts[m.IntN(len(texts))])
	}),
	rewriting("text: another value", func(m *maker, _ []byte) []byte {
		texts := []string{"null", "true", "1", `"x"`, "[]", "[{}]", "-0", "[[[]]]"}
		return []byte(texts[m.IntN(len(texts))])
	}),
	rewriting("text: invalid UTF-8", func(m *maker, body []byte) []byte { return inText(m, body, "\xff\xfe\xc0\x80") }),
	rewriting("text: half surrogate", func(m *maker, body []byte) []byte { return inText(m, body, `\ud800`) }),
	rewriting("text: bad escape", func(m *maker, body []byte) []byte { return inText(m, body, `\x00`) }),
	rewriting("text: control character", func(m *maker, body []byte) []byte { return inText(m, body, "\x01") }),
	rewriting("text: duplicate member", func(_ *maker, body []byte) []byte { return doubled(body) }),
	rewriting("text: deep", func(m *maker, body []byte) []byte {
		depth := []int{100, 10_000}[m.IntN(2)]
		return intoObject(body, `"deep":`+strings.Repeat("[", depth)+strings.Repeat("]", depth))
	}),
	rewriting("text: many members", func(_ *maker, body []byte) []byte {
		return intoObject(body, strings.TrimSuffix(strings.Repeat(`"m":1,`, 2000), ","))
	}),
}

// rewriting returns a way that replaces the text of a body. A line of a body of lines gets the new text, so the others are still good.
func rewriting(name string, change func(m *maker, body []byte) []byte) way {
	return way{name: name, fits: hasBody, change: func(m *maker, r *Request) {
		body := bytes.TrimSpace(r.Body)
		if !bytes.Contains(body, []byte(`"`)) { // there is nothing in it to change
			body = []byte(`{"x":"y"}`)
		}
		r.Body = change(m, body)
		r.Refused = !goodLines(r)
	}}
}

// goodLines reports whether a body of lines was cut between two of them.
func goodLines(r *Request) bool {
	if r.content.media != ndjsonType || len(bytes.TrimSpace(r.Body)) == 0 {
		return false
	}
	for line := range bytes.Lines(r.Body) {
		if _, err := strictjson.Parse(line); err != nil {
			return false
		}
	}
	return bytes.HasPrefix(r.content.encode(), r.Body)
}

// inText puts a text at the begin of a string of the body.
func inText(m *maker, body []byte, text string) []byte {
	quotes := bytes.Count(body, []byte(`"`)) / 2
	at := -1
	for range 2*m.IntN(quotes) + 1 {
		at += 1 + bytes.IndexByte(body[at+1:], '"')
	}
	return bytes.Join([][]byte{body[:at+1], body[at+1:]}, []byte(text))
}

// doubled repeats the first member of the first object.
func doubled(body []byte) []byte {
	begin := bytes.IndexByte(body, '"')
	end := begin + 1 + bytes.IndexByte(body[begin+1:], '"')
	name := body[begin : end+1]
	return bytes.Join([][]byte{body[:begin], name, []byte(":1,"), body[begin:]}, nil)
}

// intoObject adds members to the begin of the first object.
func intoObject(body []byte, members string) []byte {
	begin := bytes.IndexByte(body, '{') + 1
	if bytes.HasPrefix(bytes.TrimSpace(body[begin:]), []byte("}")) {
		return bytes.Join([][]byte{body[:begin], body[begin:]}, []byte(members))
	}
	return bytes.Join([][]byte{body[:begin], body[begin:]}, []byte(members+","))
}
