package service_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/localruntime/localproc"
	"github.com/hp-analytics/hp-analytics/internal/platform/config"
	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/service"
)

// asService turns this test binary into a process that hosts a service, so that tests can send it signals.
const asService = "SERVICE_TEST_AS_SERVICE"

func TestMain(m *testing.M) {
	if os.Getenv(asService) != "" {
		os.Exit(service.Main("tea", os.Args[1:], os.Environ(), os.Stdout, os.Stderr, newTea))
	}
	os.Exit(m.Run())
}

type teaConfig struct {
	service.Config
	Kettle   string        `env:"KETTLE, required"`
	Password config.Secret `env:"TEA_PASSWORD"`
	Cups     int           `env:"CUPS, default=2"`
}

// tea is a minimal service.
type tea struct {
	health *httpserver.Health
	routes http.Handler
	broken bool
}

func newTea(_ context.Context, cfg teaConfig, deps service.Deps) (service.Service, error) {
	if cfg.Kettle == "missing" {
		return nil, errors.New("there is no kettle")
	}
	health := httpserver.NewHealth(deps.Logger)
	router := httpserver.NewRouter(httpserver.RouterOptions{
		Config: cfg.HTTP, Logger: deps.Logger, Registerer: deps.Registerer, Gatherer: deps.Gatherer,
		TracerProvider: deps.TracerProvider, Health: health,
	})
	return &tea{health: health, routes: router, broken: cfg.Kettle == "broken"}, nil
}

func (s *tea) Routes() http.Handler       { return s.routes }
func (s *tea) Health() *httpserver.Health { return s.health }
func (s *tea) Run(ctx context.Context, ready func()) error {
	if s.broken {
		return errors.New("the kettle broke")
	}
	ready()
	<-ctx.Done()
	return nil
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args, environ []string
		code          int
		stdout        string
		stderr        []string
	}{
		"every problem at once": {nil, []string{"CUPS=many", "HTTP_ADDR=nowhere", "SHUTDOWN_DRAIN_DELAY=-1s", "PPROF_ADDR=:6060"}, 2, "", []string{"KETTLE", "CUPS", "HTTP_ADDR", "SHUTDOWN_DRAIN_DELAY", "PPROF_ADDR"}},
		"the same on demand":    {[]string{"-check-config"}, []string{"CUPS=many"}, 2, "", []string{"KETTLE", "CUPS"}},
		"a valid configuration": {[]string{"-check-config"}, []string{"KETTLE=blue", "TEA_PASSWORD=hunter2"}, 0, "KETTLE", nil},
		"version":               {[]string{"-version"}, nil, 0, "tea ", nil},
		"help":                  {[]string{"-help"}, nil, 0, "", []string{"-check-config"}},
		"unknown flag":          {[]string{"-milk"}, nil, 2, "", []string{"-milk"}},
		"unknown argument":      {[]string{"milk"}, []string{"KETTLE=blue"}, 2, "", []string{`"milk"`}},
		"nobody to ask":         {[]string{"healthcheck"}, []string{"KETTLE=blue", "HTTP_ADDR=127.0.0.1:1"}, 1, "", []string{"refused"}},
		"cannot be built":       {nil, []string{"KETTLE=missing", "HTTP_ADDR=127.0.0.1:0"}, 1, "", []string{"there is no kettle"}},
		"no port for profiles":  {nil, []string{"KETTLE=blue", "HTTP_ADDR=127.0.0.1:0", "PPROF_ADDR=127.0.0.1:99999"}, 1, "", []string{"profiler", "99999"}},
		"fails while it runs":   {nil, []string{"KETTLE=broken", "HTTP_ADDR=127.0.0.1:0"}, 1, "", []string{"the kettle broke"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			if code := service.Main("tea", test.args, test.environ, &stdout, &stderr, newTea); code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			if !strings.Contains(stdout.String(), test.stdout) {
				t.Errorf("no %q in: %s", test.stdout, stdout.String())
			}
			for _, want := range test.stderr {
				if !strings.Contains(stderr.String(), want) {
					t.Errorf("no %q in: %s", want, stderr.String())
				}
			}
			if strings.Contains(stdout.String()+stderr.String(), "hunter2") {
				t.Error("a secret is shown")
			}
		})
	}
}

// TestDrain checks what a load balancer sees when a service stops: first /ready answers 503 while requests are still
// served, then the listener closes and the process exits with 0.
func TestDrain(t *testing.T) {
	t.Parallel()
	port, err := localproc.FreePort(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	address := (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}).String()
	environ := append(os.Environ(), asService+"=1", "KETTLE=blue", "HTTP_ADDR="+address, "SHUTDOWN_DRAIN_DELAY=3s")
	var output bytes.Buffer
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stderr = environ, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	status := func(path string) int {
		response, err := http.Get("http://" + address + path)
		if err != nil {
			return 0
		}
		_ = response.Body.Close()
		return response.StatusCode
	}
	platformtest.Eventually(t, 20*time.Second, "the service is ready", func() bool { return status("/ready") == http.StatusOK })
	check := exec.Command(os.Args[0], "healthcheck")
	check.Env = environ
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("healthcheck: %v: %s", err, out)
	}

	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	platformtest.Eventually(t, 2500*time.Millisecond, "/ready answers 503", func() bool { return status("/ready") == http.StatusServiceUnavailable })
	if got := status("/health"); got != http.StatusOK {
		t.Errorf("while the service drains, a request is answered with %d", got)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the process ended with %v:\n%s", err, output.String())
	}
	if got := status("/health"); got != 0 {
		t.Errorf("after the process has ended, a request is answered with %d", got)
	}
}
