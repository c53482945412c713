package strictjson

import (
	"bytes"
	"encoding/hex"
	"unicode/utf16"
	"unicode/utf8"
)

var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escaped decodes a string with escapes, or finds the byte that does not fit.
func (p *parser) escaped() (string, *failure) {
	var text []byte
	p.at++
	for p.at < len(p.data) {
		switch c := p.data[p.at]; {
		case c == '"':
			p.at++
			return string(text), nil
		case c < ' ':
			return "", p.syntax()
		case c == '\\':
			r, bad := p.escape()
			if bad != nil {
				return "", bad
			}
			text = utf8.AppendRune(text, r)
		default:
			text = append(text, c)
			p.at++
		}
	}
	return "", p.syntax()
}

// escape decodes the escape, or the pair of escapes, at the next byte.
func (p *parser) escape() (rune, *failure) {
	p.at++
	if p.at == len(p.data) {
		return 0, p.syntax()
	}
	if c := p.data[p.at]; c != 'u' {
		if escapes[c] == 0 {
			return 0, p.syntax()
		}
		p.at++
		return rune(escapes[c]), nil
	}
	high, bad := p.unit()
	if bad != nil || !utf16.IsSurrogate(high) {
		return high, bad
	}
	if !bytes.HasPrefix(p.data[p.at:], []byte(`\u`)) {
		return 0, errSurrogate
	}
	p.at++
	low, bad := p.unit()
	if bad != nil {
		return 0, bad
	}
	r := utf16.DecodeRune(high, low)
	if r == utf8.RuneError {
		return 0, errSurrogate
	}
	return r, nil
}

// unit decodes the UTF-16 code unit of a \u escape. The next byte is the u.
func (p *parser) unit() (rune, *failure) {
	digits := p.data[p.at+1:]
	var unit [2]byte
	if len(digits) < 4 {
		p.at = len(p.data)
		return 0, p.syntax()
	}
	if _, err := hex.Decode(unit[:], digits[:4]); err != nil {
		return 0, p.syntax()
	}
	p.at += 5
	return rune(unit[0])<<8 | rune(unit[1]), nil
}
