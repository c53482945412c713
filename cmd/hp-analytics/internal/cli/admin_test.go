package cli

import (
	"regexp"
	"strings"
	"testing"

	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
)

// commander runs commands with the same environment and compares what they print.
type commander struct {
	t       *testing.T
	environ []string
}

// run runs a command, wants an exit code and an output that matches, and returns the output.
func (c commander) run(code int, want string, args ...string) string {
	c.t.Helper()
	var out strings.Builder
	if got := Run(c.t.Context(), args, c.environ, &out, &out); got != code || !regexp.MustCompile(want).MatchString(out.String()) {
		c.t.Errorf("%v: exit code %d, want %d; no %q in: %s", args, got, code, want, out.String())
	}
	return out.String()
}

// The password of the first admin is set in the environment of every command of an installation. No other account gets it.
func TestOnlyTheFirstAdminGetsItsPassword(t *testing.T) {
	t.Parallel()
	c := commander{t, []string{"DATABASE_URL=" + dbtest.New(t).URL(), "ADMIN_EMAIL=ada@example.com", "ADMIN_PASSWORD=correct horse battery"}}
	c.run(exitOK, "password: as given by ADMIN_PASSWORD\n$", "admin", "create", "--email=ada@example.com", "--if-none")
	c.run(exitOK, `password: [A-Z2-7]{26}\n$`, "admin", "create", "--email=bob@example.com", "--role=analyst")
	c.run(exitOK, `password: [A-Z2-7]{26}\n$`, "admin", "create", "--email=ada@example.com")
	c.environ = append(c.environ, "ACCOUNT_PASSWORD=wrong mule capacitor")
	c.run(exitOK, "password: as given by ACCOUNT_PASSWORD\n$", "admin", "create", "--email=bob@example.com")
}

// A new password changes a role only on request.
func TestCreateKeepsTheRole(t *testing.T) {
	t.Parallel()
	c := commander{t, []string{"DATABASE_URL=" + dbtest.New(t).URL()}}
	create := []string{"admin", "create", "--email=ada@example.com"}
	c.run(exitOK, "^ada@example.com is created with the role analyst; ", append(create, "--role=analyst")...)
	c.run(exitOK, "exists and has a new password; its role is still analyst; ", create...)
	c.run(exitOK, "its role was analyst and is admin now; password", append(create, "--role=admin")...)
	c.run(exitOK, "its role is still admin; ", create...)
	c.run(exitOK, "bob@example.com is created with the role admin; ", "admin", "create", "--email=bob@example.com")
}

// TestKeysOfAStoppedAccount checks that commands that stop the API keys of an account say so, and that the list does.
func TestKeysOfAStoppedAccount(t *testing.T) {
	t.Parallel()
	c := commander{t, []string{"DATABASE_URL=" + dbtest.New(t).URL()}}
	create := []string{"admin", "create", "--email=ada@example.com"}
	c.run(exitOK, "", create...)
	c.run(exitOK, "^ada@example.com is disabled; access tokens work outside /auth until they expire\n$", "admin", "disable", "--email=ada@example.com")
	c.run(exitOK, "", "admin", "enable", "--email=ada@example.com")
	for range 2 {
		c.run(exitOK, "", "keys", "create", "--account=ada@example.com", "--name=shop", "--scopes=read")
	}
	c.run(exitOK, " ada@example.com  +never ", "keys", "list")
	c.run(exitOK, "; 2 API keys of this account stopped", "admin", "disable", "--email=ada@example.com")
	c.run(exitOK, ` ada@example.com \(disabled\) `, "keys", "list")
	c.run(exitOK, "", "admin", "enable", "--email=ada@example.com")
	c.run(exitOK, "its role was admin and is user now; 2 API keys of this account stopped", append(create, "--role=user")...)
	c.run(exitOK, ` ada@example.com \(no owner\) `, "keys", "list")
}
