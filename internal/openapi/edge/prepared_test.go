package edge

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/go-chi/chi/v5"

	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/reply"
)

// preparedDocument is a contract with operations that read.
const preparedDocument = `
openapi: 3.0.3
info: {title: t, version: "1"}
paths:
  /things/{id}:
    get:
      tags: [things]
      operationId: getThing
      x-access: {roles: [analyst], scopes: [read], self: id}
      parameters:
        - {name: id, in: path, required: true, schema: {type: string, maxLength: 40}}
        - {name: q, in: query, schema: {type: string, maxLength: 40}}
        - {name: Project, in: header, schema: {type: string, maxLength: 40}}
        - {name: If-None-Match, in: header, schema: {type: string, minLength: 1, maxLength: 8}}
      responses:
        '200': {description: ok, content: {application/json: {schema: {type: object}}, text/csv: {schema: {type: string}}}}
  /things/all:
    get:
      tags: [things]
      operationId: allThings
      x-access: {roles: [admin]}
      responses: {'200': {description: ok}}
components:
  schemas:
    Role: {type: string, enum: [admin, user]}
    ProjectRole: {type: string, enum: [owner, analyst, viewer]}
    Scope: {type: string, enum: [ingest, read, admin]}
`

// recalling remembers every caller.
type recalling struct{ tokens }

// Recall implements recaller.
func (t recalling) Recall(header, slug string) (authn.Principal, bool) {
	var caller authn.Principal
	if header != "" {
		var err error
		if caller, err = t.Authenticate(nil, header); err != nil { //nolint:staticcheck // tokens ignores it
			return authn.Principal{}, false
		}
	}
	caller, err := t.Enter(nil, caller, slug) //nolint:staticcheck // tokens ignores it
	return caller, err == nil
}

// preparing is a router that keeps what answers requests ahead of it.
type preparing struct {
	chi.Router

	find httpserver.Prepared
}

// Ahead implements preparer.
func (p *preparing) Ahead(_ []string, find httpserver.Prepared) { p.find = find }

// held is an answer that is valid while it is not nil.
type held struct{ answer *reply.Reply }

// Use implements Held.
func (h *held) Use() *reply.Reply { return h.answer }

// mountPrepared returns a router whose answers are those of kept, by project and path.
func mountPrepared(t *testing.T, kept func(r *http.Request) Held) *preparing {
	t.Helper()
	c, err := contract.Parse([]byte(preparedDocument))
	if err != nil {
		t.Fatal(err)
	}
	router := &preparing{Router: chi.NewRouter()}
	options := Options{Authenticator: recalling{callers}, Prepared: map[string]Audience{
		"getThing": func(caller authn.Principal) string {
			if caller.IsUser() {
				return "user"
			}
			return "key"
		},
	}}
	err = mount(c, router, "things", options, func(r chi.Router) {
		r.Get("/things/{id}", func(_ http.ResponseWriter, r *http.Request) { Keep(r.Context(), kept(r)) })
		r.Get("/things/all", func(_ http.ResponseWriter, r *http.Request) { Keep(r.Context(), kept(r)) })
	})
	if err != nil {
		t.Fatal(err)
	}
	return router
}

func thing(target, token string, headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

// TestPreparedAnswersObeyTheContract keeps the answer to one request, and sends others that must not get it.
func TestPreparedAnswersObeyTheContract(t *testing.T) {
	t.Parallel()
	answer := &held{reply.New([]byte(`{}`), reply.Options{})}
	router := mountPrepared(t, func(*http.Request) Held { return answer })
	ask := func(r *http.Request) bool {
		found, _ := router.find(r)
		return found != nil
	}
	same := func() *http.Request { return thing("/things/1?q=a", "analyst") }
	if ask(same()) {
		t.Fatal("answered before it was asked")
	}
	router.ServeHTTP(httptest.NewRecorder(), same())
	for name, r := range map[string]*http.Request{
		"the same":                  same(),
		"its project by name":       thing("/things/1?q=a", "analyst", "Project", "home"),
		"a condition that is valid": thing("/things/1?q=a", "analyst", "If-None-Match", `"1"`),
	} {
		if !ask(r) {
			t.Errorf("%s: not answered", name)
		}
	}
	for name, r := range map[string]*http.Request{
		"nobody":               thing("/things/1?q=a", ""),
		"unknown credentials":  thing("/things/1?q=a", "stranger"),
		"without the role":     thing("/things/1?q=a", "user"),
		"without the scope":    thing("/things/1?q=a", "ingest"),
		"another audience":     thing("/things/1?q=a", "read"),
		"another thing":        thing("/things/2?q=a", "analyst"),
		"another query":        thing("/things/1?q=b", "analyst"),
		"the query in another": thing("/things/1?q=a&q=a", "analyst"),
		"no query":             thing("/things/1", "analyst"),
		"deeper":               thing("/things/1/?q=a", "analyst"),
		"less deep":            thing("/things?q=a", "analyst"),
		"another type":         thing("/things/1?q=a", "analyst", "Accept", "text/csv"),
		"a type that is none":  thing("/things/1?q=a", "analyst", "Accept", "image/png"),
		"types in two lines":   thing("/things/1?q=a", "analyst", "Accept", "text/csv", "Accept", "application/json"),
		"a forbidden project":  thing("/things/1?q=a", "analyst", "Project", "shop"),
		"two projects":         thing("/things/1?q=a", "analyst", "Project", "home", "Project", "home"),
		"no name of a project": thing("/things/1?q=a", "analyst", "Project", ""),
		"a long condition":     thing("/things/1?q=a", "analyst", "If-None-Match", strings.Repeat("1", 9)),
		"two conditions":       thing("/things/1?q=a", "analyst", "If-None-Match", `"1"`, "If-None-Match", `"2"`),
		"a condition with NUL": thing("/things/1?q=a", "analyst", "If-None-Match", "\x00"),
	} {
		if ask(r) {
			t.Errorf("%s: answered", name)
		}
	}
	answer.answer = nil
	if ask(same()) {
		t.Error("an answer that is not valid any more is sent")
	}
}

// TestKeptKeysHoldOnlyThemselves: path and query of a request are parts of its first line, which a request in absolute form can make
// as long as a header may be.
func TestKeptKeysHoldOnlyThemselves(t *testing.T) {
	t.Parallel()
	var answers *prepared
	router := mountPrepared(t, func(r *http.Request) Held {
		if q, ok := r.Context().Value(questionKey{}).(*question); ok {
			answers = q.answers
		}
		return &held{reply.New([]byte(`{}`), reply.Options{})}
	})
	line := "GET http://" + strings.Repeat("a", 15<<10) + "/things/1?q=a HTTP/1.1"
	r := thing("/things/1?q=a", "analyst")
	r.URL.Path, r.URL.RawQuery = line[len(line)-22:len(line)-13], line[len(line)-12:len(line)-9]
	if r.URL.Path != "/things/1" || r.URL.RawQuery != "q=a" {
		t.Fatal(r.URL)
	}
	router.ServeHTTP(httptest.NewRecorder(), r)
	kept := 0
	for k := range answers.answers.Keys() {
		kept++
		if unsafe.StringData(k.path) == unsafe.StringData(r.URL.Path) || unsafe.StringData(k.query) == unsafe.StringData(r.URL.RawQuery) {
			t.Errorf("the key of %s?%s holds a line of %d bytes", k.path, k.query, len(line))
		}
	}
	if kept != 1 {
		t.Errorf("%d answers are kept", kept)
	}
}

// TestTheSameZoneIsTheSameProject: whoever reads a project from the database gets a zone of its own.
func TestTheSameZoneIsTheSameProject(t *testing.T) {
	t.Parallel()
	in := func(zone string) authn.Principal {
		location, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		return authn.Principal{Project: authn.Project{ID: 7, Zone: location}}
	}
	o := &preparedOperation{operation: &operation{}, audience: func(authn.Principal) string { return "" }}
	r := thing("/things/1", "")
	berlin := o.key(in("Europe/Berlin"), "", r)
	if again := o.key(in("Europe/Berlin"), "", r); again != berlin {
		t.Error("the same request has another key")
	}
	if other := o.key(in("Europe/Paris"), "", r); other == berlin {
		t.Error("two zones have one key")
	}
	if none := o.key(authn.Principal{}, "", r); none == berlin {
		t.Error("no zone has the key of one")
	}
}

// TestRequestsThatDoNotComeAgainAreForgotten bounds the life of what is known of a request.
func TestRequestsThatDoNotComeAgainAreForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var answers *prepared
		router := mountPrepared(t, func(r *http.Request) Held {
			if q, ok := r.Context().Value(questionKey{}).(*question); ok {
				answers = q.answers
			}
			return &held{reply.New([]byte(`{}`), reply.Options{})}
		})
		for i := range 100 {
			router.ServeHTTP(httptest.NewRecorder(), thing("/things/"+strconv.Itoa(i), "analyst"))
		}
		synctest.Wait()
		if found, _ := router.find(thing("/things/7", "analyst")); found == nil {
			t.Error("forgotten at once")
		}
		<-time.After(preparedLife + time.Second) // in the bubble
		if found, _ := router.find(thing("/things/7", "analyst")); found != nil {
			t.Error("answered after its life")
		}
		<-time.After(preparedLife) // the clean-up is coarse
		router.ServeHTTP(httptest.NewRecorder(), thing("/things/new", "analyst"))
		synctest.Wait()
		if n := answers.answers.EstimatedSize(); n != 1 {
			t.Errorf("%d requests take memory", n)
		}
	})
}

// TestPreparedAnswersOfTheUserItself checks access by the path, which no middleware has routed.
func TestPreparedAnswersOfTheUserItself(t *testing.T) {
	t.Parallel()
	router := mountPrepared(t, func(*http.Request) Held { return &held{reply.New([]byte(`{}`), reply.Options{})} })
	router.ServeHTTP(httptest.NewRecorder(), thing("/things/u1", "user"))
	router.ServeHTTP(httptest.NewRecorder(), thing("/things/other", "analyst"))
	for target, want := range map[string]bool{"/things/u1": true, "/things/other": false} {
		if found, _ := router.find(thing(target, "user")); (found != nil) != want {
			t.Errorf("%s: answered %t", target, found != nil)
		}
	}
}

// TestOnlyPreparedOperationsKeep covers an operation that nobody listed, and one whose path another also matches.
func TestOnlyPreparedOperationsKeep(t *testing.T) {
	t.Parallel()
	router := mountPrepared(t, func(*http.Request) Held { return &held{reply.New([]byte(`{}`), reply.Options{})} })
	router.ServeHTTP(httptest.NewRecorder(), thing("/things/all", "admin"))
	for _, token := range []string{"admin", "analyst"} {
		if found, _ := router.find(thing("/things/all", token)); found != nil {
			t.Errorf("%s is answered", token)
		}
	}
}

// TestPreparedOperationsMustFit lists operations whose answers must not be kept.
func TestPreparedOperationsMustFit(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ from, to, id, want string }{
		"unknown":          {"", "", "nothing", "which the service does not serve"},
		"no caller":        {"x-access: {roles: [admin]}", "x-access: unauthenticated", "allThings", "cannot be prepared"},
		"limited":          {"x-access: {roles: [admin]}", "x-access: {roles: [admin]}\n      x-limits: [address]", "allThings", "cannot be prepared"},
		"its own business": {"x-access: {roles: [admin]}", "x-access: {roles: [admin]}\n      x-validation: handler", "allThings", "cannot be prepared"},
	} {
		c, err := contract.Parse([]byte(strings.Replace(preparedDocument, test.from, test.to, 1)))
		if err != nil {
			t.Fatal(err)
		}
		options := Options{Authenticator: callers, Prepared: map[string]Audience{test.id: func(authn.Principal) string { return "" }}}
		if name == "limited" {
			options.Limits = map[string]Limit{"address": ByAddress(&journal{})}
		}
		nothing := func(http.ResponseWriter, *http.Request) {}
		err = mount(c, chi.NewRouter(), "things", options, func(r chi.Router) {
			r.Get("/things/{id}", nothing)
			r.Get("/things/all", nothing)
		})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}
