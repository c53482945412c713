// Package compose_test holds what is around the services to their word: the compose stack, run with a Docker engine by
// `make compose-test`; and, in any test run, that dashboards and alerts ask for metrics that exist.
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

// TestStack brings the stack up from nothing, uses and disturbs it, recounts every number, and takes it down.
func TestStack(t *testing.T) {
	if os.Getenv("COMPOSE_TEST") == "" {
		t.Skip("NOT RUN: needs a Docker engine; make compose-test runs it")
	}
	s := newStack(t)
	began := time.Now()
	s.must(t, "up", "--build", "--detach", "--wait", "--wait-timeout", "900")
	t.Logf("up and healthy after %s", time.Since(began).Round(time.Second))

	t.Run("Confined", s.confined)
	t.Run("Routes", s.routes)
	t.Run("Headers", s.headers)
	t.Run("Compression", s.compression)
	t.Run("BodyLimits", s.bodyLimits)
	t.Run("RateLimit", s.rateLimit)
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

// container is what these tests read of docker inspect.
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

// confined: what runs has no rights, cannot change its image, has a limit of memory, and nothing listens to the outside.
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

// upAgain: the same command once more changes nothing: no new password, no new admin, no new container.
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

// restartUnderLoad: while ingest is restarted, writes are refused for a moment, with the advice to come back, and with that
// none is lost or counted twice.
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

// serviceAway: without one service the others go on, and the gateway tells which one is away.
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
