package account

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// codeOf returns the code of the only problem of an error, or "".
func codeOf(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	e, ok := errors.AsType[*errs.Error](err)
	if !ok || len(e.Fields) != 1 {
		t.Fatalf("%v", err)
	}
	return e.Fields[0].Code
}

// TestLimitsCountNormalizedPasswords sends texts whose NFC is shorter or longer than they are.
func TestLimitsCountNormalizedPasswords(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ password, code string }{
		"10 letters with marks of their own":  {strings.Repeat("u\u0308", 10), ""},
		"9 letters with marks of their own":   {strings.Repeat("u\u0308", 9), "password_too_short"},
		"128 letters with marks of their own": {strings.Repeat("u\u0308", 128), ""},
		"129 letters with marks of their own": {strings.Repeat("u\u0308", 129), "password_too_long"},
		"43 signs that NFC makes three of":    {strings.Repeat("\U0001D160", 43), "password_too_long"},
		"128 characters of four bytes":        {strings.Repeat("\U0001F600", 128), ""},
		"a common one with a long s":          {"ſunſhine123", "password_too_common"}, // a long s folds to s
	} {
		_, err := New("ada@example.com", test.password, "", authn.User)
		if got := codeOf(t, err); got != test.code {
			t.Errorf("%s: %q, want %q", name, got, test.code)
		}
	}
}

// TestNormalizedEmails checks that the stored form does not change when it is normalized again, whatever is sent, and that
// combining marks do not make it grow beyond three times its length.
func TestNormalizedEmails(t *testing.T) {
	t.Parallel()
	marks := strings.Repeat("\u0323\u0307", 127) // in an order that NFC has to change
	for _, email := range []string{"\u0130pek@Example.com", "A\u030Ada@example.com", "\u212Belle@example.com", " a@b.c ", "a" + marks, "\xff@b.c"} {
		normalized := NormalizeEmail(email)
		if NormalizeEmail(normalized) != normalized || !norm.NFC.IsNormalString(normalized) {
			t.Errorf("%+q becomes %+q, and then %+q", email, normalized, NormalizeEmail(normalized))
		}
		if len(normalized) > 3*len(email) {
			t.Errorf("%d bytes become %d", len(email), len(normalized))
		}
	}
	if a, b := NormalizeEmail("\u00c5da@example.com"), NormalizeEmail("A\u030ada@example.com"); a != b {
		t.Errorf("%+q and %+q are two addresses", a, b)
	}
}
