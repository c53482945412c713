// Package account holds the rules of accounts and API keys: what an e-mail address, a password, a role and a scope may be.
package account

import (
	"net/mail"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// EmailTaken is the code of the error that tells that an e-mail address has an account.
const EmailTaken = "email_taken"

// Account is a person who can log in.
type Account struct {
	ID           uuid.UUID
	Email        string
	Name         string
	Role         authn.Role
	PasswordHash string
	CreatedAt    time.Time
	// PasswordExpiresAt is set if an admin has reset the password: until then its owner can replace it, and do nothing else.
	PasswordExpiresAt *time.Time
	DisabledAt        *time.Time // nil if the account is enabled
	LastLoginAt       *time.Time // nil if nobody has logged in
	APIKeys           int        // that are neither revoked nor expired
}

// New validates the parts of an account and returns it. The caller sets PasswordHash.
func New(email, password, name string, role authn.Role) (Account, error) {
	email, problems := checkEmail(email)
	problems = append(problems, passwordProblems("/password", password, email)...)
	problems = append(problems, nameProblems(name)...)
	if len(problems) > 0 {
		return Account{}, errs.New(errs.Invalid, "validation_failed", "The account cannot be made like this.", problems...)
	}
	return Account{ID: uuid.Must(uuid.NewV7()), Email: email, Name: strings.TrimSpace(name), Role: role}, nil
}

// NormalizeEmail returns the form in which addresses are stored and compared: trimmed, in lower case and NFC, so that an
// address is the same from every keyboard. By the standard the part before the @ is case-sensitive, but mail systems in use
// do not treat it that way.
func NormalizeEmail(email string) string {
	return norm.NFC.String(strings.ToLower(norm.NFC.String(strings.TrimSpace(email))))
}

func checkEmail(email string) (string, []errs.Field) {
	email = NormalizeEmail(email)
	parsed, err := mail.ParseAddress(email)
	_, domain, _ := strings.Cut(email, "@")
	if err != nil || parsed.Address != email || len(email) > 254 || domain == "" || hasControl(email) {
		return email, []errs.Field{{Pointer: "/email", Code: "invalid_format", Detail: "This is no e-mail address."}}
	}
	return email, nil
}

func nameProblems(name string) []errs.Field {
	if hasControl(name) {
		return []errs.Field{{Pointer: "/name", Code: "invalid_value", Detail: "A name has no control characters."}}
	}
	return nil
}

// hasControl reports whether s contains control characters, such as NUL, which Postgres cannot store.
func hasControl(s string) bool { return strings.ContainsFunc(s, unicode.IsControl) }
