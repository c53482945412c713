package account

import (
	"crypto/rand"
	"time"
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

// TemporaryLife is how long a password that an admin has reset can be replaced.
const TemporaryLife = 24 * time.Hour

// NewTemporaryPassword returns a password of 130 random bits, which is easy to read out.
func NewTemporaryPassword() string { return rand.Text() }

// CheckNewPassword returns an Invalid error if next, the member new_password of a request, cannot replace the password of the
// account with an e-mail address.
func CheckNewPassword(email, old, next string) error {
	problems := passwordProblems("/new_password", next, NormalizeEmail(email))
	if len(problems) == 0 && norm.NFC.String(next) == norm.NFC.String(old) {
		problems = []errs.Field{{Pointer: "/new_password", Code: "password_unchanged", Detail: "Choose another password than the present one."}}
	}
	if len(problems) > 0 {
		return errs.New(errs.Invalid, "validation_failed", "The password cannot be changed like this.", problems...)
	}
	return nil
}

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
