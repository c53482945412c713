package cli

import (
	"strings"
	"testing"

	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
)

// TestProjectCommands makes a project, its members and their keys.
func TestProjectCommands(t *testing.T) {
	t.Parallel()
	command := commander{t, []string{"DATABASE_URL=" + dbtest.New(t).URL()}}.run
	command(exitOK, `default +Default +UTC +EUR +1 +- +- +20`, "admin", "projects", "list")
	command(exitUsage, "name", "admin", "projects", "create", "shop")
	command(exitUsage, "no IANA time zone", "admin", "projects", "create", "shop", "--name=Shop", "--time-zone=Mars/Base")
	command(exitUsage, "lower-case letters", "admin", "projects", "create", "Shop", "--name=Shop")
	command(exitOK, "^project shop is created", "admin", "projects", "create", "shop", "--name=Shop", "--time-zone=Asia/Tokyo", "--currency=JPY")
	command(exitFailure, "There is a project with this name already", "admin", "projects", "create", "shop", "--name=Shop")
	command(exitOK, "version 2", "admin", "projects", "set", "shop", "--week-start=7", "--events-per-second=50", "--max-event-age-days=30")
	command(exitOK, `shop +Shop +Asia/Tokyo +JPY +7 +30 +50 `, "admin", "projects", "list")
	command(exitOK, "version 3", "admin", "projects", "set", "shop", "--name=Laden", "--events-per-second=0")
	command(exitOK, `shop +Laden +Asia/Tokyo +JPY +7 +30 +- `, "admin", "projects", "list")
	command(exitUsage, "There is no project with the name nowhere", "admin", "projects", "set", "nowhere", "--name=x")

	command(exitOK, "is created with the role analyst", "admin", "create", "--email=ada@example.com", "--role=analyst")
	command(exitOK, `ada@example.com +analyst`, "admin", "members", "list")
	command(exitUsage, "--role", "admin", "members", "add", "--project=shop", "--email=ada@example.com", "--role=admin")
	command(exitUsage, "There is no account", "admin", "members", "add", "--project=shop", "--email=eve@example.com")
	command(exitUsage, "no owner of the project", "keys", "create", "--project=shop", "--account=ada@example.com", "--name=k", "--scopes=read")
	command(exitOK, "has the role owner in the project shop", "admin", "members", "add", "--project=shop", "--email=ada@example.com", "--role=owner")
	command(exitOK, "hpa_", "keys", "create", "--project=shop", "--account=ada@example.com", "--name=k", "--scopes=ingest", "--create-products")
	command(exitOK, `shop +k +hpa_\S{4} +ingest,create-products `, "keys", "list", "--project=shop")
	if listed := command(exitOK, "ID", "keys", "list", "--project=default"); strings.Contains(listed, "hpa_") {
		t.Errorf("the default project has keys:\n%s", listed)
	}
	command(exitOK, `shop +k `, "keys", "list")
	command(exitOK, "no member of the project shop", "admin", "members", "remove", "--project=shop", "--email=ada@example.com")
	command(exitUsage, "The account is no member", "admin", "members", "remove", "--project=shop", "--email=ada@example.com")
	command(exitOK, `no owner`, "keys", "list", "--project=shop")
	command(exitOK, "with the role viewer", "admin", "invite", "--role=viewer", "--project=shop")
	command(exitUsage, "There is no project with the name nowhere", "admin", "invite", "--role=viewer", "--project=nowhere")
}
