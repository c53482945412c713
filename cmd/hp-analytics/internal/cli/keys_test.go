package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
)

// TestKeysCommand creates, lists and revokes an API key.
func TestKeysCommand(t *testing.T) {
	t.Parallel()
	command := commander{t, []string{"DATABASE_URL=" + dbtest.New(t).URL()}}.run
	create := func(flags ...string) []string {
		return append([]string{"keys", "create", "--account=ada@example.com", "--name=shop"}, flags...)
	}
	command(exitUsage, `: There is no account with the e-mail address ada@example.com\.\n$`, create("--scopes=read")...)
	command(exitOK, "", "admin", "create", "--email=ada@example.com")
	command(exitOK, "", "admin", "create", "--email=bob@example.com", "--role=user")
	command(exitUsage, "no owner of the project, so it makes no API keys", "keys", "create", "--account=bob@example.com", "--name=shop", "--scopes=read")
	command(exitUsage, "cannot be made like this. This is no e-mail address", "admin", "create", "--email=no")
	command(exitUsage, "--scopes", create("--scopes=root")...)
	command(exitUsage, "would have expired already", create("--scopes=read", "--expires-in=-1h")...)
	command(exitUsage, "would have expired already", create("--scopes=read", "--expires-in=0s")...)
	command(exitUsage, "Only a key with the scope admin makes keys", create("--scopes=read", "--delegate")...)
	made := command(exitOK, `^The API key has the id \S{36}\.\nhpa_\S{49}\n$`, create("--scopes=admin,read", "--delegate", "--expires-in=2d")...)
	id := strings.TrimSuffix(strings.Fields(made)[6], ".")
	command(exitOK, id+` +default +shop +hpa_\S{4} +admin,read,delegate +user:\S{36} +ada@example.com +never +20\S+Z +never`, "keys", "list")
	command(exitUsage, "not the id of an API key", "keys", "revoke", "hpa_x")
	command(exitUsage, ": There is no API key with this id", "keys", "revoke", "0195a3f0-2b6d-7f21-8c4e-5a9d3e7b1f60")
	command(exitOK, "^1 API key revoked", "keys", "revoke", id)
	command(exitOK, "was revoked before", "keys", "revoke", id)
	command(exitOK, `(?s)WHO .*command \S+ +default +key\.revoked +key:`+id+` +- +\{"revoked": 1\}\n.* key\.created +key:`+id+` .* account\.created `, "audit")
	command(exitOK, `^TIME [^\n]*\n[^\n]* key\.revoked [^\n]*\n$`, "audit", "--action=key.r", "--project=default")
	command(exitOK, `^TIME [^\n]*\n$`, "audit", "--since=0s")
}

// TestHookKeysCommand creates the key of an address of webhooks, with its secret.
func TestHookKeysCommand(t *testing.T) {
	t.Parallel()
	command := commander{t, []string{"DATABASE_URL=" + dbtest.New(t).URL()}}.run
	create := func(flags ...string) []string {
		return append([]string{"keys", "create", "--account=ada@example.com", "--name=shop"}, flags...)
	}
	command(exitOK, "", "admin", "create", "--email=ada@example.com")
	secret := filepath.Join(t.TempDir(), "secret")
	command(exitUsage, "--signing-secret-file: ", create("--scopes=ingest", "--webhooks-of=stripe", "--signing-secret-file="+secret)...)
	if err := os.WriteFile(secret, []byte("whsec_0123456789\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	command(exitUsage, "which --webhooks-of makes", create("--scopes=ingest", "--signing-secret-file="+secret)...)
	command(exitUsage, "give one of them", create("--scopes=ingest", "--webhooks-of=stripe", "--origins=https://shop.example")...)
	command(exitUsage, "must be shopify or stripe", create("--scopes=ingest", "--webhooks-of=paypal")...)
	hook := command(exitOK, `hpc_\S{49}\n$`, create("--scopes=ingest", "--webhooks-of=stripe", "--signing-secret-file="+secret)...)
	command(exitOK, `hpc_\S{4} +ingest,create-products,webhooks of stripe +user:`, "keys", "list")
	command(exitOK, "^1 API key revoked", "keys", "revoke", strings.TrimSuffix(strings.Fields(hook)[6], "."))
}

func TestDurationFlag(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{"90d": 2160 * time.Hour, "36h": 36 * time.Hour, "0d": 0, "-1d": -24 * time.Hour} {
		var d duration
		if err := d.Set(text); err != nil || time.Duration(d) != want {
			t.Errorf("%s is %s, %v; want %s", text, time.Duration(d), err, want)
		}
	}
	for _, text := range []string{"", "d", "1.5d", "90", "200000d", "9999999999999999999d"} {
		var d duration
		if err := d.Set(text); err == nil {
			t.Errorf("%q is %s", text, time.Duration(d))
		}
	}
}
