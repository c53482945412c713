package strictjson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// parser decodes a document in one pass. The document must be valid UTF-8, or valid JSON with items.
type parser struct {
	data  []byte
	at    int    // the next byte
	items string // the member of the document whose items are skipped; empty for none
}

func (p *parser) document() (any, *failure) {
	value, bad := p.value(0)
	if bad != nil {
		return nil, bad
	}
	if p.next(); p.at < len(p.data) {
		return nil, p.syntax()
	}
	return value, nil
}

// syntax returns the error that the next byte does not fit the grammar.
func (p *parser) syntax() *failure {
	return &failure{detail: fmt.Sprintf("The body is not valid JSON: the error is at byte %d.", min(p.at+1, len(p.data)))}
}

// next skips white space and returns the byte after it, 0 at the end.
func (p *parser) next() byte {
	for ; p.at < len(p.data); p.at++ {
		if c := p.data[p.at]; c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return c
		}
	}
	return 0
}

// take skips white space and then c, if it is next.
func (p *parser) take(c byte) bool {
	if p.next() != c {
		return false
	}
	p.at++
	return true
}

func (p *parser) value(depth int) (any, *failure) {
	switch c := p.next(); {
	case c == '"':
		text, bad := p.text()
		if bad == nil {
			bad = p.checkText(text)
		}
		return text, bad
	case c == '{' || c == '[':
		if depth == maxDepth {
			return nil, errDepth
		}
		if c == '{' {
			return p.object(depth + 1)
		}
		return p.array(depth + 1)
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	case c == 't':
		return true, p.literal("true")
	case c == 'f':
		return false, p.literal("false")
	case c == 'n':
		return nil, p.literal("null")
	}
	return nil, p.syntax()
}

func (p *parser) literal(name string) *failure {
	for i := range len(name) {
		if p.at == len(p.data) || p.data[p.at] != name[i] {
			return p.syntax()
		}
		p.at++
	}
	return nil
}

// number leaves the grammar of numbers to encoding/json.
func (p *parser) number() (any, *failure) {
	end := p.at
	for end < len(p.data) && strings.IndexByte("+-.0123456789Ee", p.data[end]) >= 0 {
		end++
	}
	literal := p.data[p.at:end]
	if !json.Valid(literal) {
		return nil, p.syntax()
	}
	p.at = end
	return json.Number(literal), nil
}

func (p *parser) array(depth int) (any, *failure) {
	p.at++
	items := []any{}
	if p.take(']') {
		return items, nil
	}
	for {
		item, bad := p.value(depth)
		if bad != nil {
			return nil, bad.under(strconv.Itoa(len(items)))
		}
		items = append(items, item)
		if p.take(',') {
			continue
		}
		if !p.take(']') {
			return nil, p.syntax()
		}
		return items, nil
	}
}

func (p *parser) object(depth int) (any, *failure) {
	p.at++
	members := map[string]any{}
	if p.take('}') {
		return members, nil
	}
	for {
		name, bad := p.name(members)
		if bad != nil {
			return nil, bad
		}
		var value any
		if depth == 1 && name == p.items && p.items != "" && p.next() == '[' {
			value = p.skipItems()
		} else if value, bad = p.value(depth); bad != nil {
			return nil, bad.under(name)
		}
		members[name] = value
		if p.take(',') {
			continue
		}
		if !p.take('}') {
			return nil, p.syntax()
		}
		return members, nil
	}
}

// name decodes a member name that members do not have yet, and the colon behind it.
func (p *parser) name(members map[string]any) (string, *failure) {
	if p.next() != '"' {
		return "", p.syntax()
	}
	name, bad := p.text()
	switch {
	case bad != nil:
		return "", bad
	case len(name) > maxName:
		return "", errName
	}
	if bad := p.checkText(name); bad != nil {
		return "", bad
	}
	if _, twice := members[name]; twice {
		return "", errDuplicate(name)
	}
	if !p.take(':') {
		return "", p.syntax()
	}
	return name, nil
}

// text decodes the string that begins at the next byte.
func (p *parser) text() (string, *failure) {
	content, _, closed := bytes.Cut(p.data[p.at+1:], []byte(`"`))
	if !closed || hasEscapeOrControl(content) {
		return p.escaped()
	}
	p.at += len(content) + 2
	return string(content), nil
}

func hasEscapeOrControl(text []byte) bool {
	for _, c := range text {
		if c < ' ' || c == '\\' {
			return true
		}
	}
	return false
}
