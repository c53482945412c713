package host_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// memberRoles returns the roles of the members of the default project by their e-mail addresses.
func (s shop) memberRoles() map[string]string {
	s.t.Helper()
	roles := map[string]string{}
	for _, m := range s.send(http.MethodGet, "/auth/projects/default/members?limit=100", s.admin, "")["items"].([]any) {
		m := m.(map[string]any)
		roles[m["email"].(string)] = m["role"].(string)
	}
	return roles
}

// TestDashboardMembers invites a person by a link, changes the role, and removes the member. The last owner stays, and the page says why.
func TestDashboardMembers(t *testing.T) {
	t.Parallel()
	s := newShop(startPlatform(t))
	admin := s.send(http.MethodGet, "/auth/me", s.admin, "")["id"].(string)
	s.send(http.MethodDelete, "/auth/projects/default/members/"+admin, s.admin, "") // else it is another owner
	b := newTab(t, s.url)
	b.open("/app/members")
	b.signIn("owner@example.com")
	b.until(row("Members", "owner@example.com (you)") + `?.[1] === "owner"`)
	b.follow("Invite a person")
	b.presses(`dialog [value=analyst]`)
	b.presses(`dialog button.primary`)
	b.sees("One person can use it, as analyst, until")
	link := b.value(`document.querySelector("dialog [name=link]").value`)
	if got := b.copied("Copy the link"); got != link || !strings.HasPrefix(link, s.url+"/app/join#hpi_") {
		t.Errorf("the link %s is copied as %s", link, got)
	}
	b.follow("Done")
	b.until(closed + ` && ` + rows("Invitations") + `[0]?.[3] === "open"`)

	guest := newTab(t, s.url)
	guest.do(chromedp.Navigate(link))
	guest.sees("You are invited")
	guest.fill("Create account", "name", "Grace", "email", "grace@example.com", "new_password", password)
	guest.sees("Overview")
	guest.clean()

	b.do(chromedp.Reload())
	b.until(row("Members", "Grace") + `?.[1] === "analyst" && ` + rows("Invitations") + `[0]?.[3].startsWith("used on")`)
	b.presses(`[aria-label="Change role of grace@example.com"]`)
	b.presses(`dialog [value=viewer]`)
	b.presses(`dialog button.primary`)
	b.until(closed + ` && ` + row("Members", "Grace") + `?.[1] === "viewer"`)
	if got := s.memberRoles()["grace@example.com"]; got != "viewer" {
		t.Errorf("the API says that the role is %s", got)
	}

	b.presses(`[aria-label="Remove owner@example.com"]`)
	b.sees("Leave the project?")
	b.presses(`dialog button.primary`)
	b.sees("This is the last owner of the project. Make another member an owner first, or ask an admin.")
	b.presses(`dialog [aria-label=Close]`)
	b.until(closed)
	b.presses(`[aria-label="Change role of owner@example.com"]`)
	b.presses(`dialog [value=viewer]`)
	b.sees("API keys that this member made stop working.")
	b.presses(`dialog button.primary`)
	b.sees("This is the last owner of the project.")
	b.presses(`dialog [aria-label=Close]`)
	b.until(closed)

	b.presses(`[aria-label="Remove grace@example.com"]`)
	b.presses(`dialog button.primary`)
	b.until(closed + ` && ` + row("Members", "Grace") + ` === undefined`)
	if got := fmt.Sprint(s.memberRoles()); got != "map[analyst@example.com:analyst owner@example.com:owner viewer@example.com:viewer]" {
		t.Errorf("the API says that the members are %s", got)
	}

	b.follow("Invite a person")
	b.presses(`dialog button.primary`)
	b.follow("Done")
	b.until(rows("Invitations") + `[0]?.[3] === "open"`)
	b.do(chromedp.Click(`//button[starts-with(@aria-label, "Revoke the invitation")]`, chromedp.BySearch))
	b.presses(`dialog button.primary`)
	b.until(closed + ` && ` + rows("Invitations") + `[0]?.[3] === "revoked"`)
	b.clean("status of 409") // the last owner
}
