package decode

import (
	"bytes"
	"unicode/utf8"
)

// replacement takes the place of what is no Unicode text (U+FFFD, the replacement character).
const replacement = "\ufffd"

// storable returns JSON with everything replaced that jsonb does not store: bytes that are not UTF-8, the NUL character and
// halves of surrogate pairs. raw must be valid JSON apart from that.
func storable(raw []byte) []byte {
	raw = bytes.ToValidUTF8(raw, []byte(replacement))
	fixed := make([]byte, 0, len(raw))
	for {
		next := bytes.IndexByte(raw, '\\')
		if next < 0 {
			return append(fixed, raw...)
		}
		fixed, raw = append(fixed, raw[:next]...), raw[next:]
		s := scanner{data: raw}
		if err := s.escape(); err != nil {
			return append(fixed, raw...) // not reached: raw is valid JSON
		}
		if s.notes != 0 {
			fixed = utf8.AppendRune(fixed, utf8.RuneError)
		} else {
			fixed = append(fixed, raw[:s.pos]...)
		}
		raw = raw[s.pos:]
	}
}
