package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
)

// Members see the money of the project, whatever their role; only owners, analysts and keys see its users. A guest sees its own
// summary, and how products are used, without what they earn.
func TestWhoSeesWhatOfAProject(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shop := w.project("shop", "UTC", "EUR")
	guest := uuid.NewString()
	at := shop.at("2026-01-01 12:00")
	shop.event(guest, "view", "sku", at, 3)
	shop.event("u", "Order Completed", "sku", at, 1)
	shop.order("u", "sku", "EUR", 2, 777, at)
	shop.order(guest, "sku", "EUR", 2, 333, at)
	for _, role := range []authn.Role{authn.Owner, authn.Analyst, authn.Viewer} {
		shop.calls(string(role), authn.Principal{Subject: uuid.NewString(), Role: role})
	}
	shop.calls("guest", authn.Principal{Subject: guest, Role: authn.User, Guest: true})
	const days = "from=2026-01-01&to=2026-01-01"
	const all, members, insiders = "shop owner analyst viewer guest", "shop owner analyst viewer", "shop owner analyst"
	for _, c := range []struct{ path, callers string }{
		{"/analytics/products/top?" + days, all},
		{"/analytics/products/top?metric=unique_users&" + days, all},
		{"/analytics/products/top?type=view&" + days, all},
		{"/analytics/products/top?type=Order+Completed&" + days, members},
		{"/analytics/products/top?metric=net_minor&" + days, members},
		{"/analytics/products/top?metric=gross_minor&" + days, members},
		{"/analytics/products/top?metric=refunded_minor&" + days, members},
		{"/analytics/products/top?metric=purchases&" + days, members},
		{"/analytics/products/top?metric=units&" + days, members},
		{"/analytics/products/" + shop.id("sku") + "/timeseries?" + days, all},
		{"/analytics/products/timeseries?sku=sku&interval=hour&" + days, all},
		{"/analytics/overview?" + days, members},
		{"/analytics/events?" + days, members},
		{"/analytics/events/timeseries?type=view&" + days, members},
		{"/analytics/users/u/summary?" + days, insiders},
		{"/analytics/users/top?" + days, insiders},
		{"/analytics/users/" + guest + "/summary?" + days, insiders + " guest"},
		{"/analytics/users/me/summary?" + days, "owner analyst viewer guest"},
	} {
		for caller := range strings.FieldsSeq(all) {
			got := w.get(caller, c.path)
			want := http.StatusForbidden
			if strings.Contains(" "+c.callers+" ", " "+caller+" ") {
				want = http.StatusOK
			}
			if got.Code != want {
				t.Errorf("GET %s as %s: %d, want %d: %s", c.path, caller, got.Code, want, got.Body)
			}
			own := strings.Contains(c.path, "/users/")
			for _, word := range []string{"777", "1110", `"revenue"`, `"purchases"`, `"units"`} {
				if caller == "guest" && strings.Contains(got.Body.String(), word) && (!own || strings.HasPrefix(word, "7")) {
					t.Errorf("GET %s shows %s to a guest: %s", c.path, word, got.Body)
				}
			}
		}
	}
	for _, name := range []string{"timezone", "offset", "page"} {
		for _, path := range []string{
			"/analytics/products/top?", "/analytics/products/" + shop.id("sku") + "/timeseries?", "/analytics/products/timeseries?sku=sku&", "/analytics/overview?",
			"/analytics/events?", "/analytics/events/timeseries?type=view&", "/analytics/users/top?", "/analytics/users/u/summary?", "/analytics/users/me/summary?",
		} {
			if got := w.get("owner", path+name+"=1"); got.Code != http.StatusUnprocessableEntity || !strings.Contains(got.Body.String(), `"/query/`+name+`"`) {
				t.Errorf("GET %s%s=1: %d %s", path, name, got.Code, got.Body)
			}
		}
	}
	for _, path := range []string{"/analytics/users/me/summary?" + days, "/analytics/users/" + guest + "/summary?" + days} {
		if got := w.get("guest", path).Body.String(); !strings.Contains(got, `"gross_minor":333`) || !strings.Contains(got, fmt.Sprintf("%q", guest)) {
			t.Errorf("GET %s: %s", path, got)
		}
	}
}
