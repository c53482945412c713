package contract

import (
	"errors"
	"net/mail"
	"net/url"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
)

var errFormat = errors.New("does not have the format")

// Formats returns the options that make kin-openapi check those string formats of the document that it does not know.
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
		option("uuid", IsUUID),
		option("email", validEmail),
		option("uri", validURI),
		option("date-time", validTime),
	}
}

// IsUUID reports whether s is a UUID in the text form of RFC 9562. The other forms that google/uuid reads (braces, URNs,
// bare digits) are refused, so that an id has one spelling.
func IsUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if c < '0' || c > '9' && c|0x20 < 'a' || c|0x20 > 'f' {
				return false
			}
		}
	}
	return true
}

// validEmail takes a bare address, without a display name. It cannot tell whether the mailbox exists.
func validEmail(s string) bool {
	address, err := mail.ParseAddress(s)
	return err == nil && address.Address == s && !strings.ContainsAny(s, " \t\r\n\"")
}

// validTime is stricter than the pattern of kin-openapi, as time.Time is: no second 60, no offset of 24 hours.
func validTime(s string) bool {
	t, err := time.Parse(time.RFC3339, s)
	_, offset := t.Zone() // in seconds; time.Parse takes an offset of 24 hours
	return err == nil && max(offset, -offset) < 24*60*60
}

func validURI(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.IsAbs()
}
