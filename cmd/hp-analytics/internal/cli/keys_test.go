package cli

import (
	"strings"
	"testing"

	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
)

// TestKeysCommand creates, lists and revokes an API key.
func TestKeysCommand(t *testing.T) {
	t.Parallel()
	command := commander{t, []string{"DATABASE_URL=" + dbtest.New(t).URL()}}.run
	create := func(flags ...string) []string {
		return append([]string{"keys", "create", "--account=ada@example.com", "--name=shop"}, flags...)
	}
	command(exitUsage, "ada@example.com", create("--scopes=read")...)
	command(exitOK, "", "admin", "create", "--email=ada@example.com")
	command(exitUsage, "--scopes", create("--scopes=root")...)
	command(exitUsage, "in_the_past", create("--scopes=read", "--expires-in=-1h")...)
	command(exitUsage, "needs_admin", create("--scopes=read", "--delegate")...)
	command(exitOK, `^hpa_\S{49}\n$`, create("--scopes=admin,read", "--delegate", "--expires-in=24h")...)
	list := command(exitOK, `shop +hpa_\S{4} +admin,read,delegate +user:\S{36} +ada@example.com +never +20\S+Z +never`, "keys", "list")
	command(exitUsage, "not the id of an API key", "keys", "revoke", "hpa_x")
	id := strings.Fields(strings.Split(list, "\n")[1])[0]
	command(exitOK, "1 API keys revoked", "keys", "revoke", id)
	command(exitOK, "0 API keys revoked", "keys", "revoke", id)
}
