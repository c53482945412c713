package edge

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
	"github.com/hp-analytics/hp-analytics/internal/platform/admission"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
)

// tenants authenticates "Bearer N" as a key of project N, and "Bearer guest" as a guest of project 1.
type tenants struct{}

// Authenticate implements Authenticator.
func (tenants) Authenticate(_ context.Context, header string) (authn.Principal, error) {
	token := strings.TrimPrefix(header, "Bearer ")
	if token == "guest" {
		return authn.Principal{Subject: "g", Role: authn.User, Guest: true, Project: authn.Project{ID: 1}}, nil
	}
	project, err := strconv.Atoi(token)
	return authn.Principal{KeyID: token, Project: authn.Project{ID: int16(project)}}, err
}

// Enter implements Authenticator.
func (tenants) Enter(_ context.Context, caller authn.Principal, _ string) (authn.Principal, error) {
	return caller, nil
}

// busy is a router whose operation holds its slot until the test lets it end.
type busy struct {
	*httpserver.Router

	entered, end chan struct{}
	wg           sync.WaitGroup
}

func startBusy(t *testing.T, slots admission.Config) *busy {
	t.Helper()
	deps := platformtest.Deps(t)
	b := &busy{
		Router: httpserver.NewRouter(httpserver.RouterOptions{
			Logger: deps.Logger, Registerer: deps.Registerer, Gatherer: deps.Gatherer, TracerProvider: deps.TracerProvider,
			Config: httpserver.Config{RequestTimeout: 1 << 40}, Health: httpserver.NewHealth(deps.Logger),
		}),
		entered: make(chan struct{}, 100), end: make(chan struct{}),
	}
	c, err := contract.Parse([]byte(document("x-access: public\nx-validation: handler")))
	if err != nil {
		t.Fatal(err)
	}
	options := Options{Authenticator: tenants{}, Slots: admission.New(slots, deps.Logger, deps.Registerer)}
	if err := mount(c, b, "things", options, registerThing(func(w http.ResponseWriter, _ *http.Request) {
		b.entered <- struct{}{}
		<-b.end
		w.WriteHeader(http.StatusTeapot)
	})); err != nil {
		t.Fatal(err)
	}
	return b
}

// hold sends a request that gets a slot.
func (b *busy) hold(token string) {
	b.wg.Go(func() { post(b, "/things/1", token, http.NoBody) })
	<-b.entered
}

// A service that works on as many requests as it can refuses further ones without reading them, and goes on to answer its probes.
func TestSaturation(t *testing.T) {
	t.Parallel()
	b := startBusy(t, admission.Config{MaxConcurrent: 4, MaxQueued: 1})
	for range 3 {
		b.hold("1")
	}
	j := &journal{}
	refused := post(b, "/things/1", "1", body{j, strings.NewReader("content")})
	if refused.Code != http.StatusServiceUnavailable || !strings.Contains(refused.Body.String(), `"code":"overloaded"`) {
		t.Errorf("a fourth request of a project: %d %s", refused.Code, refused.Body)
	}
	if after, err := strconv.Atoi(refused.Header().Get("Retry-After")); err != nil || after < 1 || after > 4 {
		t.Errorf("Retry-After %q", refused.Header().Get("Retry-After"))
	}
	if len(j.entries) > 0 {
		t.Error("the body of a refused request is read")
	}
	b.hold("2") // another project gets the last slot
	for path, want := range map[string]int{"/health": http.StatusOK, "/ready": http.StatusOK, "/metrics": http.StatusOK} {
		w := httptest.NewRecorder()
		b.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != want {
			t.Errorf("%s of a saturated service: %d", path, w.Code)
		}
	}
	close(b.end)
	b.wg.Wait()
	if w := post(b, "/things/1", "1", http.NoBody); w.Code != http.StatusTeapot {
		t.Errorf("after all have ended: %d", w.Code)
	}
}

// A request that loses its slot while its body arrives is refused, not called broken.
func TestRefusalWhileABodyArrives(t *testing.T) {
	t.Parallel()
	handler := mounted(t, "x-access: public", nil, func(http.ResponseWriter, *http.Request) { t.Error("the handler is called") })
	refusal := errs.New(errs.Unavailable, "overloaded", "Later.")
	if w := post(handler, "/things/1", "", iotest.ErrReader(refusal)); w.Code != http.StatusServiceUnavailable {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
}

// A handler that panics gives its slot back.
func TestPanicGivesTheSlotBack(t *testing.T) {
	t.Parallel()
	c, err := contract.Parse([]byte(document("x-access: public\nx-validation: handler")))
	if err != nil {
		t.Fatal(err)
	}
	deps := platformtest.Deps(t)
	router := httpserver.NewRouter(httpserver.RouterOptions{
		Logger: platformtest.Discard(), Registerer: deps.Registerer, Gatherer: deps.Gatherer, TracerProvider: deps.TracerProvider,
		Config: httpserver.Config{RequestTimeout: 1 << 40}, Health: httpserver.NewHealth(deps.Logger),
	})
	options := Options{Authenticator: tenants{}, Slots: admission.New(admission.Config{MaxConcurrent: 1}, deps.Logger, deps.Registerer)}
	if err := mount(c, router, "things", options, registerThing(func(http.ResponseWriter, *http.Request) { panic("broken") })); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if w := post(router, "/things/1", "", http.NoBody); w.Code != http.StatusInternalServerError {
			t.Errorf("status %d", w.Code)
		}
	}
}

// Who can be anybody shares slots with its network, and not with the project.
func TestSharers(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		caller *authn.Principal
		want   admission.Key
	}{
		"nobody":              {nil, admission.Key{Name: "invalid IP"}},
		"guest":               {&authn.Principal{Subject: "g", Owner: "g", Guest: true, Project: authn.Project{ID: 1}}, admission.Key{Name: "invalid IP"}},
		"member":              {&authn.Principal{Subject: "m", Owner: "m", Project: authn.Project{ID: 7}}, admission.Key{Project: 7}},
		"key":                 {&authn.Principal{KeyID: "k", Owner: "m", Project: authn.Project{ID: 7}}, admission.Key{Project: 7}},
		"user, of no project": {&authn.Principal{Subject: "m", Owner: "m"}, admission.Key{Name: "m"}},
	} {
		ctx := t.Context()
		if tc.caller != nil {
			ctx = authn.WithPrincipal(ctx, *tc.caller)
		}
		if diff := cmp.Diff(tc.want, sharer(ctx)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
