package strictjson

import (
	"encoding/json"
	"unicode/utf8"
)

// ParseEnvelope is Parse for an object whose member of the given name is an array of items that are judged one by one. That
// array is a []json.RawMessage in the result, whose elements share the memory of data. Of an item only the grammar is checked.
// What else Parse refuses (duplicate names, half a surrogate pair, bytes that are not UTF-8, deep nesting) is for the reader of
// the item.
func ParseEnvelope(data []byte, member string) (any, error) {
	if !json.Valid(data) {
		return Parse(data) // says what is wrong
	}
	p := parser{data: data, items: member}
	value, bad := p.document()
	if bad != nil {
		return nil, bad.err()
	}
	return value, nil
}

var errUTF8 = &failure{detail: "The body is not valid UTF-8."}

// skipItems reads the array at the next byte and returns its items. The document is valid JSON.
func (p *parser) skipItems() []json.RawMessage {
	p.at++
	items := []json.RawMessage{}
	for p.next() != ']' {
		start := p.at
		p.skipValue()
		items = append(items, p.data[start:p.at:p.at])
		p.take(',')
	}
	p.at++
	return items
}

// skipValue reads a value of a valid document.
func (p *parser) skipValue() {
	for depth := 0; ; {
		switch c := p.data[p.at]; c {
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return // of the array around a number or literal
			}
			if depth--; depth == 0 {
				p.at++
				return
			}
		case ',':
			if depth == 0 {
				return
			}
		case '"':
			if p.skipString(); depth == 0 {
				return
			}
			continue
		}
		p.at++
	}
}

func (p *parser) skipString() {
	for p.at++; p.data[p.at] != '"'; p.at++ {
		if p.data[p.at] == '\\' {
			p.at++
		}
	}
	p.at++
}

// checkText reports text that is not UTF-8. Parse has checked the whole document before.
func (p *parser) checkText(text string) *failure {
	if p.items != "" && !utf8.ValidString(text) {
		return errUTF8
	}
	return nil
}
