// Package compose_test tests the compose stack, with a Docker engine, by `make compose-test`. In every test run it checks
// that dashboards and alerts use metrics that exist.
package compose_test

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
)

// TestStack starts the stack from scratch, uses and disturbs it, recounts every number, and removes it.
func TestStack(t *testing.T) {
	if os.Getenv("COMPOSE_TEST") == "" {
		t.Skip("NOT RUN: needs a Docker engine; make compose-test runs it")
	}
	s := newStack(t)
	began := time.Now()
	s.must(t, "up", "--build", "--detach", "--wait", "--wait-timeout", "900")
	t.Logf("up and healthy after %s", time.Since(began).Round(time.Second))

	t.Run("Confined", s.confined)
	t.Run("Secrets", s.secrets)
	t.Run("Logins", s.logins)
	t.Run("Routes", s.routes)
	t.Run("Headers", s.headers)
	t.Run("Compression", s.compression)
	t.Run("BodyLimits", s.bodyLimits)
	t.Run("Uploads", s.uploads)
	t.Run("ReadyLimit", s.readyLimit)
	t.Run("RateLimit", s.rateLimit)
	t.Run("Accounts", s.accounts)
	t.Run("Demo", func(t *testing.T) {
		out := s.must(t, "run", "--rm", "cli", "demo", "--url", "http://gateway:8080", "--events", "20000", "--days", "7")
		if !strings.Contains(out, "All numbers are equal.") {
			t.Error(out)
		}
	})
	t.Run("RestartUnderLoad", s.restartUnderLoad)
	t.Run("ServiceAway", s.serviceAway)
	t.Run("Scale", func(t *testing.T) {
		s.must(t, "up", "--detach", "--wait", "--wait-timeout", "120", "--no-recreate", "--scale", "aggregator=3")
		if ids := s.containers(t, "label=com.docker.compose.service=aggregator", "health=healthy"); len(ids) != 3 {
			t.Errorf("%d aggregators are healthy", len(ids))
		}
	})
	t.Run("UpAgain", s.upAgain)
	t.Run("Reconcile", func(t *testing.T) {
		out := s.must(t, "run", "--rm", "cli", "reconcile")
		if !strings.Contains(out, " 0 differences") {
			t.Error(out)
		}
		t.Log(out[strings.LastIndex(out, "Recounted"):])
	})
	t.Run("Down", func(t *testing.T) {
		s.must(t, "--profile", "tools", "down", "--volumes", "--timeout", "30")
		for _, kind := range []string{"container", "volume", "network"} {
			args := []string{kind, "ls", "--quiet", "--filter", "label=com.docker.compose.project=" + s.project}
			if kind == "container" {
				args = append(args, "--all")
			}
			if out, err := output(t.Context(), s.environ, "docker", args...); err != nil || out != "" {
				t.Errorf("%s left: %s %v", kind, out, err)
			}
		}
	})
}

// container holds the fields of docker inspect that the tests use.
type container struct {
	Name       string
	Config     struct{ User string }
	HostConfig struct {
		ReadonlyRootfs bool
		CapAdd         []string
		CapDrop        []string
		SecurityOpt    []string
		Memory         int64
		PortBindings   map[string][]struct{ HostIP string }
	}
	RestartCount int
}

// confined checks that containers have no capabilities, a read-only root and a memory limit, and listen only on loopback.
func (s stack) confined(t *testing.T) {
	ids := s.containers(t)
	if len(ids) < 8 {
		t.Fatalf("%d containers run", len(ids))
	}
	out, err := output(t.Context(), s.environ, "docker", append([]string{"inspect"}, ids...)...)
	if err != nil {
		t.Fatal(err)
	}
	var containers []container
	if err := json.Unmarshal([]byte(out), &containers); err != nil {
		t.Fatal(err)
	}
	for _, c := range containers {
		host := c.HostConfig
		if !host.ReadonlyRootfs || len(host.CapAdd) > 0 || !slices.Contains(host.CapDrop, "ALL") ||
			!slices.Contains(host.SecurityOpt, "no-new-privileges:true") || host.Memory == 0 {
			t.Errorf("%s has more than it needs: %+v", c.Name, host)
		}
		if user, _, _ := strings.Cut(c.Config.User, ":"); user == "" || user == "0" || user == "root" {
			t.Errorf("%s runs as root", c.Name)
		}
		for port, bindings := range host.PortBindings {
			for _, b := range bindings {
				if b.HostIP != "127.0.0.1" {
					t.Errorf("%s: %s is bound to %q", c.Name, port, b.HostIP)
				}
			}
		}
		if c.RestartCount > 0 {
			t.Errorf("%s was restarted %d times", c.Name, c.RestartCount)
		}
	}
}

// upAgain checks that a second up changes nothing: no new password, admin or container.
func (s stack) upAgain(t *testing.T) {
	before := s.containers(t)
	s.must(t, "up", "--detach", "--wait", "--wait-timeout", "120", "--scale", "aggregator=3")
	after := s.containers(t)
	slices.Sort(before)
	slices.Sort(after)
	if !slices.Equal(before, after) {
		t.Errorf("containers were made anew: %v, then %v", before, after)
	}
	s.login(t)
}

// restartUnderLoad checks that writes during a restart of ingest are refused with Retry-After, and that after retries each
// is counted exactly once.
func (s stack) restartUnderLoad(t *testing.T) {
	admin := s.login(t)
	key, product := admin.apiKey(t), admin.product(t, "")

	ctx, stop := context.WithCancel(t.Context())
	sent := make(chan traffic, 1)
	go func() { sent <- s.sendUntil(ctx, t, key, product.SKU) }()
	s.must(t, "restart", "--timeout", "30", "ingest")
	platformtest.Eventually(t, time.Minute, "ingest is ready again", func() bool {
		return len(s.containers(t, "label=com.docker.compose.service=ingest", "health=healthy")) == 1
	})
	stop()
	result := <-sent
	t.Logf("%d events stored, %d refusals in between", result.stored, result.refused)
	for _, problem := range result.problems {
		t.Error(problem)
	}
	if result.stored < 20 || result.refused == 0 {
		t.Errorf("%d events were stored and %d refused: that was no load, or no restart", result.stored, result.refused)
	}
	platformtest.Eventually(t, time.Minute, "all are counted, once", func() bool {
		return admin.views(t, product) == int64(result.stored)
	})
}

// serviceAway checks that the other services work while one is stopped, and that the gateway names it.
func (s stack) serviceAway(t *testing.T) {
	s.must(t, "stop", "--timeout", "30", "analytics")
	ready := s.get(t, "/ready")
	if ready.status != 503 || !strings.Contains(ready.body, `{"status":"unready","checks":{"analytics":"unavailable"}}`) {
		t.Errorf("GET /ready: %d %s", ready.status, ready.body)
	}
	away := s.get(t, "/analytics/products/top")
	away.wantProblem(t, 503, "unavailable")
	if away.header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
	if health := s.get(t, "/health"); health.status != 200 {
		t.Errorf("GET /health: %d", health.status)
	}
	s.login(t)
	s.must(t, "start", "analytics")
	platformtest.Eventually(t, time.Minute, "everything is ready again", func() bool { return s.get(t, "/ready").status == 200 })
}
