package contract

import (
	"errors"
	"net/mail"
	"net/url"
	"regexp"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

var (
	// uuidPattern takes the text form of RFC 9562 and none of the others that google/uuid reads (braces, URNs, bare
	// digits), so that an id has one spelling.
	uuidPattern = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

	errFormat = errors.New("does not have the format")
)

// Formats returns the options that make a validation check the string formats of the document which kin-openapi does
// not check by itself.
func Formats() []openapi3.SchemaValidationOption {
	option := func(name string, valid func(string) bool) openapi3.SchemaValidationOption {
		return openapi3.WithStringFormatValidator(name, openapi3.NewCallbackValidator(func(s string) error {
			if !valid(s) {
				return errFormat
			}
			return nil
		}))
	}
	return []openapi3.SchemaValidationOption{
		option("uuid", uuidPattern.MatchString),
		option("email", validEmail),
		option("uri", validURI),
	}
}

// validEmail takes a bare address, without a display name. Whether the mailbox exists only a mail can tell.
func validEmail(s string) bool {
	address, err := mail.ParseAddress(s)
	return err == nil && address.Address == s && !strings.ContainsAny(s, " \t\r\n\"")
}

func validURI(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.IsAbs()
}
