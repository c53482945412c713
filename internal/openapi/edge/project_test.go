package edge

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
)

// projectDocument has one operation, whose caller acts in the project of a header or of the path.
func projectDocument(path, in, access string) []byte {
	return []byte(`
openapi: 3.0.3
info: {title: t, version: "1"}
paths:
  ` + path + `:
    get:
      tags: [things]
      operationId: getThing
      x-access: ` + access + `
      parameters: [` + in + `]
      responses: {'200': {description: ok}}
components:
  schemas:
    Role: {type: string, enum: [admin, user]}
    ProjectRole: {type: string, enum: [owner, analyst, viewer]}
    Scope: {type: string, enum: [ingest, read, admin]}
`)
}

const (
	inHeader = `{name: Project, in: header, schema: {type: string, maxLength: 63}}`
	inPath   = `{name: project, in: path, required: true, schema: {type: string, maxLength: 63}}`
)

// mountedProject returns a router with one operation, whose answer is the slug and the role of its caller.
func mountedProject(t *testing.T, path, in, access string) chi.Router {
	t.Helper()
	c, err := contract.Parse(projectDocument(path, in, access))
	if err != nil {
		t.Fatal(err)
	}
	router := chi.NewRouter()
	err = mount(c, router, "things", Options{Authenticator: callers}, func(r chi.Router) {
		r.Get(path, func(w http.ResponseWriter, r *http.Request) {
			if p, err := authn.Require(r.Context()); err == nil {
				w.Header().Set("Entered", p.Project.Slug+" "+string(p.Role))
			}
			w.WriteHeader(http.StatusTeapot)
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return router
}

func TestProjectOfARequest(t *testing.T) {
	t.Parallel()
	header := mountedProject(t, "/things", inHeader, "{roles: [owner, user], scopes: [read]}")
	public := mountedProject(t, "/things", inHeader, "public")
	path := mountedProject(t, "/projects/{project}", inPath, "{roles: [owner, analyst]}")
	for name, test := range map[string]struct {
		router         chi.Router
		target, token  string
		projects       []string // headers
		status         int
		entered, codes string
	}{
		"no header":                        {header, "/things", "user", nil, 418, "home user", ""},
		"a header":                         {header, "/things", "admin", []string{"shop"}, 418, "shop owner", ""},
		"a project of others":              {header, "/things", "user", []string{"shop"}, 403, "", "project_forbidden"},
		"no project":                       {header, "/things", "user", []string{"nowhere"}, 403, "", "project_forbidden"},
		"before access":                    {header, "/things", "analyst", []string{"nowhere"}, 403, "", "project_forbidden"},
		"a role that may not":              {header, "/things", "analyst", nil, 403, "", "forbidden"},
		"two headers":                      {header, "/things", "admin", []string{"shop", "home"}, 400, "", "project_required"},
		"an empty header":                  {header, "/things", "admin", []string{""}, 400, "", "project_required"},
		"credentials first":                {header, "/things", "", []string{"nowhere"}, 401, "", "credentials_required"},
		"anybody":                          {public, "/things", "", nil, 418, "", ""},
		"anybody in the default project":   {public, "/things", "", []string{"home"}, 418, "", ""},
		"anybody in a project of others":   {public, "/things", "", []string{"shop"}, 403, "", "project_forbidden"},
		"a user of a public operation":     {public, "/things", "admin", []string{"shop"}, 418, "shop owner", ""},
		"in the path":                      {path, "/projects/shop", "admin", nil, 418, "shop owner", ""},
		"in the path, of others":           {path, "/projects/shop", "analyst", nil, 404, "", "unknown_project"},
		"in the path, none":                {path, "/projects/nowhere", "analyst", nil, 404, "", "unknown_project"},
		"in the path, the header is none":  {path, "/projects/home", "analyst", []string{"shop"}, 418, "home analyst", ""},
		"in the path, a role that may not": {path, "/projects/home", "user", nil, 403, "", "forbidden"},
	} {
		r := httptest.NewRequest(http.MethodGet, test.target, nil)
		if test.token != "" {
			r.Header.Set("Authorization", "Bearer "+test.token)
		}
		for _, slug := range test.projects {
			r.Header.Add("Project", slug)
		}
		w := httptest.NewRecorder()
		test.router.ServeHTTP(w, r)
		var doc problem.Document
		_ = json.Unmarshal(w.Body.Bytes(), &doc) // the handler answers nothing
		if w.Code != test.status || doc.Code != test.codes || w.Header().Get("Entered") != test.entered {
			t.Errorf("%s: %d %q as %q", name, w.Code, doc.Code, w.Header().Get("Entered"))
		}
	}
}

// Roles in a project are those of its members.
func TestRolesOfProjects(t *testing.T) {
	t.Parallel()
	for access, problem := range map[string]string{
		"{roles: [owner, analyst, viewer, user]}": "",
		"{roles: [admin]}":                        `"admin" is no ProjectRole`,
	} {
		c, err := contract.Parse(projectDocument("/things", inHeader, access))
		if problem == "" && err != nil || problem != "" && (err == nil || !strings.Contains(err.Error(), problem)) {
			t.Errorf("%s: %v", access, err)
		}
		if err == nil && !strings.Contains(requirement(c.Operations()[0]), "access token of a user") {
			t.Errorf("%s: %s", access, requirement(c.Operations()[0]))
		}
	}
	if _, err := contract.Parse(projectDocument("/things", "", "{roles: [owner]}")); err == nil {
		t.Error("a role of a project is taken outside projects")
	}
}
