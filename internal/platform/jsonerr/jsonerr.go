// Package jsonerr says what is wrong with JSON in its own words. The errors of encoding/json name types of Go, which senders do not know.
package jsonerr

import (
	"encoding/json"
	"errors"
	"strings"
)

// Explain returns what is wrong with JSON of a wrong shape, without types of Go: "context is a text" or, if it is not a member, "it is an
// array". It returns any other error as it is.
func Explain(err error) error {
	wrong, ok := errors.AsType[*json.UnmarshalTypeError](err)
	if !ok {
		return err
	}
	subject, what := "it", wrong.Value
	if wrong.Field != "" {
		subject = wrong.Field
	}
	switch kind, _, _ := strings.Cut(what, " "); kind { // "number 1.5"
	case "array", "object":
		what = "an " + kind
	case "string":
		what = "a text"
	case "bool":
		what = "true or false"
	default:
		what = "a " + kind
	}
	return errors.New(subject + " is " + what + ", which does not fit here")
}
