// Package strictjson parses untrusted JSON documents: valid UTF-8, no duplicate member names, no unpaired surrogates, no
// data after the document. encoding/json silently repairs these or picks a winner (the last of two equal names). Here they
// are errors, because otherwise two parsers could read the same request in different ways.
//
// Anybody can send a document, so a refused one costs no more than an accepted one: one pass, and JSON pointers are built
// only for the member that an error is about.
package strictjson

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

const (
	// maxDepth bounds how deep arrays and objects may nest, because Postgres and clients parse them recursively.
	maxDepth = 64
	// maxName bounds member names, in bytes. Names come back in JSON pointers.
	maxName = 1024
)

// Parse decodes one JSON document into nil, bool, string, json.Number, []any and map[string]any. Its errors are of the
// kind errs.Malformed and never quote values of the document.
func Parse(data []byte) (any, error) {
	if !utf8.Valid(data) {
		return nil, malformed("The body is not valid UTF-8.")
	}
	p := parser{data: data}
	value, bad := p.document()
	if bad != nil {
		return nil, bad.err()
	}
	return value, nil
}

func malformed(detail string, fields ...errs.Field) error {
	return errs.New(errs.Malformed, "malformed_json", detail, fields...)
}

// failure says what is wrong with a document.
type failure struct {
	detail string
	// code and advice are about one member; code is empty if the error has none. path leads to the member, innermost name
	// first: each level adds its own on the way up.
	code, advice string
	path         []string
}

func (f *failure) under(name string) *failure {
	if f.code != "" {
		f.path = append(f.path, name)
	}
	return f
}

func (f *failure) err() error {
	if f.code == "" {
		return malformed(f.detail)
	}
	var pointer strings.Builder
	for _, name := range slices.Backward(f.path) {
		pointer.WriteString("/" + Escape(name))
	}
	return malformed(f.detail, errs.Field{Pointer: pointer.String(), Code: f.code, Detail: f.advice})
}

var (
	errDepth     = &failure{detail: fmt.Sprintf("The body is nested more than %d levels deep.", maxDepth)}
	errName      = &failure{detail: fmt.Sprintf("A member name is longer than %d bytes.", maxName)}
	errSurrogate = &failure{detail: `The body has an incomplete \u escape: an unpaired surrogate.`}
)

// errDuplicate returns a new failure, because its path grows.
func errDuplicate(name string) *failure {
	return &failure{
		detail: "An object has two members of the same name.",
		code:   "duplicate_field", advice: "Must be given once.", path: []string{name},
	}
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// Escape returns name as a reference token of a JSON pointer (RFC 6901).
func Escape(name string) string { return pointerEscapes.Replace(name) }
