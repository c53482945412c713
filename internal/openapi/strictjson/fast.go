package strictjson

import (
	"bytes"
	"encoding/json"
	"strings"
)

// fast decodes a document in one pass, in a fraction of the time that encoding/json needs for its several passes. It gives up
// at whatever is rare: errors, \u escapes, deep nesting. Parse then decodes the document with parseSlowly, which knows all
// the error texts. data must be valid UTF-8.
type fast struct{ data []byte }

// document returns the value of the whole document, or false if it gives up.
func (f *fast) document() (value any, ok bool) {
	if value, ok = f.value(0); !ok {
		return nil, false
	}
	return value, f.next() == 0 && len(f.data) == 0
}

// next skips white space and returns the byte after it, 0 at the end.
func (f *fast) next() byte {
	for i, c := range f.data {
		if c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			f.data = f.data[i:]
			return c
		}
	}
	f.data = nil
	return 0
}

func (f *fast) value(depth int) (any, bool) {
	switch c := f.next(); {
	case c == '"':
		return f.text()
	case c == '{' && depth < maxDepth:
		return f.object(depth + 1)
	case c == '[' && depth < maxDepth:
		return f.array(depth + 1)
	case c == '-' || c >= '0' && c <= '9':
		return f.number()
	case c == 't':
		return true, f.skip("true")
	case c == 'f':
		return false, f.skip("false")
	case c == 'n':
		return nil, f.skip("null")
	}
	return nil, false
}

func (f *fast) skip(literal string) bool {
	if len(f.data) < len(literal) || string(f.data[:len(literal)]) != literal {
		return false
	}
	f.data = f.data[len(literal):]
	return true
}

// number leaves the grammar of numbers to encoding/json.
func (f *fast) number() (any, bool) {
	n := 0
	for n < len(f.data) && strings.IndexByte("+-.0123456789Ee", f.data[n]) >= 0 {
		n++
	}
	literal := f.data[:n]
	f.data = f.data[n:]
	return json.Number(literal), json.Valid(literal)
}

// text decodes a string without \u escapes.
func (f *fast) text() (string, bool) {
	content, rest, closed := bytes.Cut(f.data[1:], []byte(`"`))
	if !closed {
		return "", false
	}
	if bytes.IndexByte(content, '\\') >= 0 {
		return f.escaped()
	}
	f.data = rest
	return string(content), !hasControl(content)
}

func hasControl(text []byte) bool {
	for _, c := range text {
		if c < ' ' {
			return true
		}
	}
	return false
}

var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

func (f *fast) escaped() (string, bool) {
	var text strings.Builder
	for i := 1; i < len(f.data); i++ {
		switch c := f.data[i]; {
		case c == '"':
			f.data = f.data[i+1:]
			return text.String(), true
		case c < ' ':
			return "", false
		case c == '\\':
			i++
			if i == len(f.data) || escapes[f.data[i]] == 0 {
				return "", false
			}
			text.WriteByte(escapes[f.data[i]])
		default:
			text.WriteByte(c)
		}
	}
	return "", false
}

func (f *fast) array(depth int) (any, bool) {
	f.data = f.data[1:]
	items := []any{}
	if f.next() == ']' {
		return items, f.skip("]")
	}
	for {
		item, ok := f.value(depth)
		if !ok {
			return nil, false
		}
		items = append(items, item)
		if f.next() != ',' {
			return items, f.skip("]")
		}
		f.data = f.data[1:]
	}
}

func (f *fast) object(depth int) (any, bool) {
	f.data = f.data[1:]
	members := map[string]any{}
	if f.next() == '}' {
		return members, f.skip("}")
	}
	for {
		if f.next() != '"' {
			return nil, false
		}
		name, ok := f.text()
		if _, twice := members[name]; !ok || twice || f.next() != ':' {
			return nil, false
		}
		f.data = f.data[1:]
		if members[name], ok = f.value(depth); !ok {
			return nil, false
		}
		if f.next() != ',' {
			return members, f.skip("}")
		}
		f.data = f.data[1:]
	}
}
