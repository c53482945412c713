package frame_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime/pprof"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn/authntest"
	"github.com/hp-analytics/hp-analytics/internal/platform/config"
	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/lifecycle"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/service"
	"github.com/hp-analytics/hp-analytics/internal/platform/service/frame"
)

// noServers is a configuration of Postgres and Redis servers that do not exist: no test here needs an answer from them.
func noServers(t *testing.T) frame.Config {
	t.Helper()
	var cfg frame.Config
	environ := []string{"DATABASE_URL=postgres://127.0.0.1:1/none", "REDIS_URL=redis://127.0.0.1:1"}
	if err := config.Load(t.Context(), &cfg, config.Environ(environ, "")); err != nil {
		t.Fatal(err)
	}
	return cfg
}

func open(t *testing.T, spec frame.Spec) *frame.Frame {
	t.Helper()
	f, err := frame.Open(t.Context(), noServers(t), platformtest.Deps(t), spec)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func assemble(t *testing.T, f *frame.Frame, parts frame.Parts) service.Service {
	t.Helper()
	if parts.Mount == nil {
		parts.Mount = func(*httpserver.Router) error { return nil }
	}
	svc, err := f.Service(parts)
	if err != nil {
		t.Fatal(err)
	}
	return svc
}

func TestConfigReportsAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	var cfg frame.Config
	err := config.Load(t.Context(), &cfg, config.Environ([]string{
		"DATABASE_MAX_CONNS=1", "REDIS_TIMEOUT=soon", "SHUTDOWN_DRAIN_DELAY=-1s", "HTTP_ADDR=nowhere", "PPROF_ADDR=:6060",
	}, ""))
	if err == nil {
		t.Fatal("no problem is reported")
	}
	var names []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		name, _, _ := strings.Cut(line, ":")
		names = append(names, name)
	}
	slices.Sort(names)
	want := []string{"DATABASE_MAX_CONNS", "DATABASE_URL", "HTTP_ADDR", "PPROF_ADDR", "REDIS_TIMEOUT", "REDIS_URL", "SHUTDOWN_DRAIN_DELAY"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("variables with a problem, each once (-want +got):\n%s\n%v", diff, err)
	}
}

// Background work stops in reverse order, and the connections close after it.
func TestStopOrder(t *testing.T) {
	t.Parallel()
	f := open(t, frame.Spec{Name: "test"})
	var order []string // components stop one after the other
	work := func(name string) lifecycle.Component {
		return lifecycle.OnStop(name, func() {
			order = append(order, name)
			// Redis refuses the connection as long as the client is open.
			if err := f.Redis.Ping(t.Context()).Err(); err == nil || strings.Contains(err.Error(), "closed") {
				t.Errorf("while %s stops: %v", name, err)
			}
		})
	}
	svc := assemble(t, f, frame.Parts{Background: []lifecycle.Component{work("waker"), work("committer")}})
	ctx, stop := context.WithCancel(t.Context())
	err := svc.Run(ctx, stop)
	if err != nil {
		t.Errorf("Run = %v", err)
	}
	if diff := cmp.Diff([]string{"committer", "waker"}, order); diff != "" {
		t.Errorf("stop order (-want +got):\n%s", diff)
	}
	wantClosed(t, f)
}

// wantClosed checks that neither client can be used any more.
func wantClosed(t *testing.T, f *frame.Frame) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	if err := f.Pool.Ping(ctx); err == nil || !strings.Contains(err.Error(), "closed pool") {
		t.Errorf("the pool is open: %v", err)
	}
	if err := f.Redis.Ping(ctx).Err(); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("the Redis client is open: %v", err)
	}
}

// A component that fails ends the service; the others stop in order and the connections close.
func TestFailedComponentStopsTheService(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, failing := range map[string]lifecycle.Component{
		"at the start": {Name: "worker", Run: func(context.Context, func()) error { return broken }},
		"later": {Name: "worker", Run: func(_ context.Context, ready func()) error {
			ready()
			return broken
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := open(t, frame.Spec{Name: "test"})
			stopped := false
			first := lifecycle.OnStop("first", func() { stopped = true })
			svc := assemble(t, f, frame.Parts{Background: []lifecycle.Component{first, failing}})
			err := svc.Run(t.Context(), func() {})
			if !errors.Is(err, broken) || !strings.Contains(err.Error(), "worker: ") {
				t.Errorf("Run = %v, want the failure of worker", err)
			}
			if !stopped {
				t.Error("the other component was not stopped")
			}
			wantClosed(t, f)
		})
	}
}

func TestConnectionsCloseWhenOperationsCannotBeMounted(t *testing.T) {
	t.Parallel()
	f := open(t, frame.Spec{Name: "test"})
	broken := errors.New("broken")
	if _, err := f.Service(frame.Parts{Mount: func(*httpserver.Router) error { return broken }}); !errors.Is(err, broken) {
		t.Errorf("Service: %v", err)
	}
	wantClosed(t, f)
}

// The frame checks its own dependencies; a service adds checks. Redis is optional.
func TestReadiness(t *testing.T) {
	t.Parallel()
	auth := authntest.New(t)
	tokens := auth.Config()
	f := open(t, frame.Spec{Name: "test", Tokens: &tokens})
	svc := assemble(t, f, frame.Parts{Checks: []httpserver.Check{{Name: "own", Run: func(context.Context) error { return nil }}}})
	platformtest.Run(t, svc)
	platformtest.Eventually(t, 5*time.Second, "the keys are fetched", func() bool { return f.Verifier.Ready(t.Context()) == nil })
	state, ready := svc.Health().Ready(t.Context())
	want := map[string]string{"postgres": "unavailable", "redis": "degraded", "jwks": "ok", "own": "ok"}
	if diff := cmp.Diff(want, state.Checks); diff != "" || ready {
		t.Errorf("ready %t, checks (-want +got):\n%s", ready, diff)
	}
}

func TestOperationsAreMountedBesideTheOperationalEndpoints(t *testing.T) {
	t.Parallel()
	svc := assemble(t, open(t, frame.Spec{Name: "test"}), frame.Parts{Mount: func(router *httpserver.Router) error {
		router.Get("/things", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
		return nil
	}})
	platformtest.Run(t, svc)
	for path, want := range map[string]int{
		"/things": http.StatusNoContent, "/health": http.StatusOK, "/metrics": http.StatusOK,
		"/ready": http.StatusServiceUnavailable, "/elsewhere": http.StatusNotFound,
	} {
		w := httptest.NewRecorder()
		svc.Routes().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != want {
			t.Errorf("GET %s: %d, want %d", path, w.Code, want)
		}
	}
}

// No goroutine is left when Run returns: not of the pool, of the Redis client, of the verifier (while it fetches, and when
// it waits for the next fetch), nor of its caches.
func TestNoGoroutineOutlivesRun(t *testing.T) {
	t.Parallel()
	auth := authntest.New(t)
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(slow.Close)
	for name, test := range map[string]struct {
		tokens  authn.Config
		fetched bool
	}{
		"between fetches":  {auth.Config(), true},
		"fetching often":   {authn.Config{JWKSURL: auth.JWKSURL(), JWKSRefresh: time.Millisecond}, true},
		"fetch hangs":      {authn.Config{JWKSURL: slow.URL, JWKSRefresh: time.Hour}, false},
		"issuer is not up": {authn.Config{JWKSURL: "http://127.0.0.1:1", JWKSRefresh: time.Hour}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// Goroutines inherit the labels of the one that starts them.
			pprof.Do(t.Context(), pprof.Labels("test", t.Name()), func(ctx context.Context) {
				f := open(t, frame.Spec{Name: "test", Tokens: &test.tokens})
				svc := assemble(t, f, frame.Parts{})
				runCtx, stop := context.WithCancel(ctx)
				defer stop()
				ended := make(chan error, 1)
				go func() { ended <- svc.Run(runCtx, func() {}) }()
				if test.fetched {
					platformtest.Eventually(t, 5*time.Second, "the keys are fetched", func() bool { return f.Verifier.Ready(ctx) == nil })
					if _, err := f.Verifier.Authenticate(ctx, "Bearer "+auth.Token(authn.User, uuid.NewString())); err != nil {
						t.Error(err)
					}
				}
				svc.Health().Ready(ctx)
				if leftOver(t, t.Name()) == "" {
					t.Error("no goroutine is seen while the service runs: the check below would prove nothing")
				}
				stop()
				if err := <-ended; err != nil {
					t.Errorf("Run = %v", err)
				}
			})
			// Goroutines of net/http and pgx end a moment after the connection that they serve.
			platformtest.Eventually(t, 2*time.Second, "every goroutine has ended", func() bool { return leftOver(t, t.Name()) == "" })
		})
	}
}

// leftOver returns the stacks of the goroutines with a label, except for those of the test itself.
func leftOver(t *testing.T, label string) string {
	t.Helper()
	var profile bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		t.Fatal(err)
	}
	var found []string
	for block := range strings.SplitSeq(profile.String(), "\n\n") {
		if strings.Contains(block, "# labels:") && strings.Contains(block, `"`+label+`"`) && !strings.Contains(block, "leftOver") {
			found = append(found, block)
		}
	}
	return strings.Join(found, "\n\n")
}

// TestBaselineWarns checks that nobody turns the caches off without a word in the log.
func TestBaselineWarns(t *testing.T) {
	t.Parallel()
	for _, baseline := range []bool{false, true} {
		var log bytes.Buffer
		cfg, deps := noServers(t), platformtest.Deps(t)
		cfg.Baseline, deps.Logger = baseline, slog.New(slog.NewTextHandler(&log, nil))
		if _, err := frame.Open(t.Context(), cfg, deps, frame.Spec{}); err != nil {
			t.Fatal(err)
		}
		if warned := strings.Contains(log.String(), "PERFORMANCE_BASELINE"); warned != baseline {
			t.Errorf("baseline %t: %q", baseline, log.String())
		}
	}
}
