package decode

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// maxDepth bounds the nesting of a document. Every level takes stack, and to grow the stack costs more than to read the text.
const maxDepth = 1000

// scanner reads JSON (RFC 8259) from memory, value by value, without building a tree. It accepts what encoding/json
// accepts, up to maxDepth. After a syntax error its position has no meaning.
type scanner struct {
	data []byte
	pos  int
	// notes says what the values read since it was last cleared hold that is valid JSON and cannot be stored.
	notes note
	depth int    // deepest nesting since then
	names *names // makes strings, in a batch; nil for plain copies
}

// note tells what is special about a value.
type note uint8

const (
	notUTF8      note  = 1 << iota // bytes that are not UTF-8
	notText                        // \u0000 or half of a surrogate pair: no Unicode text
	longNumber                     // more digits or a larger exponent than the database takes
	maxNumber    = 512             // characters of a number
	maxExponents = 3               // digits of its exponent
)

// syntaxError tells where a document stops being JSON.
type syntaxError struct {
	offset int
	what   string
}

// Error implements error.
func (e *syntaxError) Error() string { return fmt.Sprintf("%s at byte %d", e.what, e.offset) }

func (s *scanner) fail(what string) error { return &syntaxError{offset: s.pos, what: what} }

// peek skips white space and returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; c {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

// end checks that nothing but white space is left.
func (s *scanner) end() error {
	if s.peek(); s.pos < len(s.data) {
		return s.fail("unexpected text after the JSON value")
	}
	return nil
}

// object reads an object and calls member at the value of each of its members; member must read the value. name is
// only valid until then.
func (s *scanner) object(member func(name []byte) error) error {
	s.pos++ // the brace, which the caller has seen
	if s.peek() == '}' {
		s.pos++
		return nil
	}
	for {
		if s.peek() != '"' {
			return s.fail("expected a name in quotes")
		}
		name, err := s.text()
		if err != nil {
			return err
		}
		if err := s.colon(); err != nil {
			return err
		}
		if err := member(name); err != nil {
			return err
		}
		if more, err := s.next('}'); !more {
			return err
		}
	}
}

func (s *scanner) colon() error {
	if s.peek() != ':' {
		return s.fail("expected a colon")
	}
	s.pos++
	return nil
}

// array reads an array and calls element at each of its elements; element must read it.
func (s *scanner) array(element func() error) error {
	s.pos++ // the bracket, which the caller has seen
	if s.peek() == ']' {
		s.pos++
		return nil
	}
	for {
		if err := element(); err != nil {
			return err
		}
		if more, err := s.next(']'); !more {
			return err
		}
	}
}

// next reads the comma before another member or element, or the closing byte.
func (s *scanner) next(closing byte) (more bool, err error) {
	switch s.peek() {
	case ',':
		s.pos++
		return true, nil
	case closing:
		s.pos++
		return false, nil
	default:
		return false, s.fail("expected a comma or " + string(closing))
	}
}

// raw reads any value and returns its bytes, which belong to the document.
func (s *scanner) raw() ([]byte, error) {
	s.peek()
	start := s.pos
	if err := s.skip(1); err != nil {
		return nil, err
	}
	return s.data[start:s.pos], nil
}

// skip reads any value.
func (s *scanner) skip(depth int) error {
	switch c := s.peek(); {
	case c == '"':
		_, _, err := s.quoted()
		return err
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	case c == '{' || c == '[':
		return s.skipComposite(c+2, depth) // the closing byte comes two after the opening one, in both cases
	case c == 't':
		return s.literal("true")
	case c == 'f':
		return s.literal("false")
	case c == 'n':
		return s.literal("null")
	default:
		return s.fail("expected a value")
	}
}

// skipComposite reads an object or an array up to its closing byte. Names are read without unescaping them.
func (s *scanner) skipComposite(closing byte, depth int) error {
	if s.depth = max(s.depth, depth); depth > maxDepth {
		return s.fail("nested too deep")
	}
	s.pos++ // the opening byte, which the caller has seen
	if s.peek() == closing {
		s.pos++
		return nil
	}
	for {
		if closing == '}' {
			if err := s.skipName(); err != nil {
				return err
			}
		}
		if err := s.skip(depth + 1); err != nil {
			return err
		}
		if more, err := s.next(closing); !more {
			return err
		}
	}
}

// skipName reads the name of a member and the colon.
func (s *scanner) skipName() error {
	if s.peek() != '"' {
		return s.fail("expected a name in quotes")
	}
	if _, _, err := s.quoted(); err != nil {
		return err
	}
	return s.colon()
}

// skipMembers reads what is left of an object from the value of a member on.
func (s *scanner) skipMembers() error {
	for {
		if err := s.skip(1); err != nil {
			return err
		}
		if more, err := s.next('}'); !more {
			return err
		}
		if err := s.skipName(); err != nil {
			return err
		}
	}
}

func (s *scanner) literal(word string) error {
	if !bytes.HasPrefix(s.data[s.pos:], []byte(word)) {
		return s.fail("expected a value")
	}
	s.pos += len(word)
	return nil
}

// text reads a string and returns its content. It allocates only when there is something to unescape.
func (s *scanner) text() ([]byte, error) {
	raw, escaped, err := s.quoted()
	if err != nil || !escaped {
		return raw, err
	}
	var unescaped string
	if err := json.Unmarshal(s.data[s.pos-len(raw)-2:s.pos], &unescaped); err != nil {
		return nil, s.fail("invalid string")
	}
	return []byte(unescaped), nil
}

// quoted reads a string and returns what is between its quotes, and whether that holds escapes.
func (s *scanner) quoted() (raw []byte, escaped bool, err error) {
	s.pos++ // the quote, which the caller has seen
	start := s.pos
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; {
		case c == '"':
			s.pos++
			return s.data[start : s.pos-1], escaped, nil
		case c == '\\':
			escaped = true
			if err := s.escape(); err != nil {
				return nil, false, err
			}
		case c < ' ':
			return nil, false, s.fail("control character in a string")
		case c < utf8.RuneSelf:
			s.pos++
		default:
			r, size := utf8.DecodeRune(s.data[s.pos:])
			if r == utf8.RuneError && size == 1 {
				s.notes |= notUTF8
			}
			s.pos += size
		}
	}
	return nil, false, s.fail("unfinished string")
}

// escape reads one escape sequence, or two that make up a surrogate pair.
func (s *scanner) escape() error {
	if s.pos+1 >= len(s.data) {
		return s.fail("unfinished string")
	}
	switch s.data[s.pos+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.pos += 2
		return nil
	case 'u':
	default:
		return s.fail("unknown escape in a string")
	}
	unit, ok := s.codeUnit()
	if !ok {
		return s.fail("invalid \\u escape")
	}
	s.pos += 6
	switch {
	case unit == 0 || unit >= 0xDC00 && unit < 0xE000:
		s.notes |= notText
	case unit >= 0xD800 && unit < 0xDC00:
		low, ok := s.codeUnit()
		if !ok || low < 0xDC00 || low >= 0xE000 {
			s.notes |= notText
			return nil // what follows is not part of this escape
		}
		s.pos += 6
	}
	return nil
}

// codeUnit returns the value of the \uXXXX at the position, without moving.
func (s *scanner) codeUnit() (unit uint32, ok bool) {
	if s.pos+6 > len(s.data) || s.data[s.pos] != '\\' || s.data[s.pos+1] != 'u' {
		return 0, false
	}
	for _, c := range s.data[s.pos+2 : s.pos+6] {
		var digit byte
		switch {
		case c >= '0' && c <= '9':
			digit = c - '0'
		case c >= 'a' && c <= 'f':
			digit = c - 'a' + 10
		case c >= 'A' && c <= 'F':
			digit = c - 'A' + 10
		default:
			return 0, false
		}
		unit = unit<<4 | uint32(digit)
	}
	return unit, true
}

// number reads a number.
func (s *scanner) number() error {
	start := s.pos
	if s.at('-') {
		s.pos++
	}
	if s.at('0') {
		s.pos++
	} else if s.digits() == 0 {
		return s.fail("expected a digit")
	}
	if s.at('.') {
		s.pos++
		if s.digits() == 0 {
			return s.fail("expected a digit")
		}
	}
	if s.at('e') || s.at('E') {
		s.pos++
		if s.at('+') || s.at('-') {
			s.pos++
		}
		switch n := s.digits(); {
		case n == 0:
			return s.fail("expected a digit")
		case n > maxExponents:
			s.notes |= longNumber
		}
	}
	if s.pos-start > maxNumber {
		s.notes |= longNumber
	}
	return nil
}

func (s *scanner) at(c byte) bool { return s.pos < len(s.data) && s.data[s.pos] == c }

// digits reads digits and returns how many there were.
func (s *scanner) digits() int {
	start := s.pos
	for s.pos < len(s.data) && s.data[s.pos] >= '0' && s.data[s.pos] <= '9' {
		s.pos++
	}
	return s.pos - start
}
