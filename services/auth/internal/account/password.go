package account

import (
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/commonpassword"
)

// Limits of a password in NFC, in characters and bytes. The upper limits bound the cost of hashing; NIST SP 800-63B requires
// at least 64 characters.
const (
	minPassword      = commonpassword.MinRunes
	maxPassword      = 128
	maxPasswordBytes = 4 * maxPassword
)

// passwordProblems returns what is wrong with a new password of the account with a normalized e-mail address. The pointer
// names the member of the request that holds the password.
func passwordProblems(pointer, password, email string) []errs.Field {
	problem := func(code, detail string) []errs.Field {
		return []errs.Field{{Pointer: pointer, Code: code, Detail: detail}}
	}
	password = norm.NFC.String(password)
	switch length := utf8.RuneCountInString(password); {
	case length < minPassword:
		return problem("password_too_short", "A password has at least 10 characters.")
	case length > maxPassword || len(password) > maxPasswordBytes:
		return problem("password_too_long", "A password has at most 128 characters.")
	case commonpassword.Contains(password) || commonpassword.Fold(password) == commonpassword.Fold(email):
		return problem("password_too_common", "This password is among the first that an attacker tries.")
	}
	return nil
}
