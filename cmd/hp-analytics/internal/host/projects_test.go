package host_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
)

// in sends a request that names a project, and returns the status and the decoded answer.
func (p *platform) in(project, method, path, authorization, body string) (int, map[string]any) {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), method, p.url+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	if project != "" {
		request.Header.Set("Project", project)
	}
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	response, err := p.client.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	var answer map[string]any
	if len(content) > 0 {
		if err := json.Unmarshal(content, &answer); err != nil {
			p.t.Fatalf("%s %s: %s", method, path, content)
		}
	}
	return response.StatusCode, answer
}

// TestTwoProjectsOfOnePlatform uses the same SKU, event id and user id in two projects, through all services.
func TestTwoProjectsOfOnePlatform(t *testing.T) {
	t.Parallel()
	p := startPlatform(t)
	byName := map[string]string{}
	for _, c := range p.callers() {
		byName[c.name] = c.authorization
	}
	admin, guest := byName["admin"], byName["user"]
	const event = `{"id":"0195a3f2-7c1e-7b3a-9d54-2f6b1c8e4a10","type":"view","sku":"SHOE","user_id":"ada","ts":"%s"}`
	now := time.Now().UTC().Format(time.RFC3339)
	keys, products, batches := map[string]string{}, map[string]string{}, map[string]string{}
	for _, slug := range []string{"east", "west"} {
		p.send(http.MethodPost, "/auth/projects", admin, fmt.Sprintf(`{"slug":%q,"name":%q}`, slug, slug))
		_, made := p.in(slug, http.MethodPost, "/auth/api-keys", admin, `{"name":"shop","scopes":["admin"]}`)
		keys[slug] = "Bearer " + made["key"].(string)
		products[slug] = "/products/" + p.send(http.MethodPost, "/products", keys[slug], `{"sku":"SHOE","name":"Shoe","price_minor":100,"currency":"EUR"}`)["id"].(string)
		accepted := p.send(http.MethodPost, "/events", keys[slug], fmt.Sprintf(event, now))
		if accepted["status"] != "accepted" {
			t.Errorf("the event of %s is %v", slug, accepted)
		}
		batches[slug] = "/events/batches/" + fmt.Sprint(accepted["batch_id"])
	}
	for _, path := range []string{products["east"], batches["east"]} {
		for name, caller := range map[string]struct{ project, authorization string }{
			"the key of the other": {"", keys["west"]}, "an admin in the other": {"west", admin}, "a guest": {"", guest},
		} {
			if status, answer := p.in(caller.project, http.MethodGet, path, caller.authorization, ""); status != http.StatusNotFound {
				t.Errorf("%s gets %s: %d %v", name, path, status, answer)
			}
		}
		if status, answer := p.in("east", http.MethodGet, path, admin, ""); status != http.StatusOK {
			t.Errorf("an admin gets %s: %d %v", path, status, answer)
		}
	}
	if status, answer := p.in("", http.MethodGet, "/products", "", ""); status != http.StatusOK || len(answer["items"].([]any)) != 0 {
		t.Errorf("anybody sees the products of a project: %v", answer)
	}
	for _, slug := range []string{"east", "nowhere"} { // a stranger cannot tell one from the other
		for _, authorization := range []string{"", guest, keys["west"]} {
			if status, answer := p.in(slug, http.MethodGet, "/products", authorization, ""); status != http.StatusForbidden || answer["code"] != "project_forbidden" {
				t.Errorf("a stranger in %s: %d %v", slug, status, answer)
			}
		}
	}
	p.membership(t, admin, guest)
}

// membership makes a user a member of the project east, and ends that.
func (p *platform) membership(t *testing.T, admin, user string) {
	t.Helper()
	member := "/auth/projects/east/members/" + p.send(http.MethodGet, "/auth/me", user, "")["id"].(string)
	p.send(http.MethodPut, member, admin, `{"role":"viewer"}`)
	for path, want := range map[string]int{"/analytics/overview": 200, "/analytics/users/ada/summary": 403, "/auth/api-keys": 403} {
		if status, answer := p.in("east", http.MethodGet, path, user, ""); status != want {
			t.Errorf("a viewer gets %s: %d %v", path, status, answer)
		}
	}
	p.send(http.MethodDelete, member, admin, "")
	platformtest.Eventually(t, time.Minute, "the former member is refused", func() bool {
		status, answer := p.in("east", http.MethodGet, "/analytics/overview", user, "")
		return status == http.StatusForbidden && answer["code"] == "project_forbidden"
	})
}
