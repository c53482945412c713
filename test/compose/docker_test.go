package compose_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

const composeFile = "../../infra/compose/docker-compose.yml"

// stack is the compose project of one test. It does not disturb other projects on the machine.
type stack struct {
	project string
	environ []string
	url     string // of the gateway
}

// newStack prepares a project that is taken down, with its volumes, when the test ends.
func newStack(t *testing.T) stack {
	t.Helper()
	port := freePort(t)
	s := stack{project: "hp-analytics-test", url: "http://127.0.0.1:" + port}
	s.environ = append(os.Environ(),
		"PORT="+port,
		"SUBNET="+cmp.Or(os.Getenv("SUBNET"), "10.117.85"),
		"TAG=compose-test",
		"ADMIN_PASSWORD="+adminPassword,
		// Prefer versions that the engine already has, so that none is pulled.
		"POSTGRES_TAG="+localTag(t, "postgres", "17"),
		"REDIS_TAG="+localTag(t, "redis", "8"),
		"NGINX_TAG="+localTag(t, "nginx", "1.29"),
	)
	s.down(t) // left over by a run that was killed
	t.Cleanup(func() {
		if t.Failed() {
			logs, err := s.compose(context.WithoutCancel(t.Context()), "logs", "--no-color", "--tail", "40")
			t.Logf("%s%v", logs, err)
		}
		s.down(t)
	})
	return s
}

func (s stack) down(t *testing.T) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context()) // the cleanup runs after it has ended
	if out, err := s.compose(ctx, "--profile", "tools", "down", "--volumes", "--remove-orphans", "--timeout", "30"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// compose runs docker compose and returns all that it printed.
func (s stack) compose(ctx context.Context, args ...string) (string, error) {
	return output(ctx, s.environ, "docker", append([]string{"compose", "--project-name", s.project, "--file", composeFile}, args...)...)
}

// must runs compose and fails the test on an error.
func (s stack) must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := s.compose(t.Context(), args...)
	if err != nil {
		t.Fatalf("%v\n%s", err, out[max(0, len(out)-4000):])
	}
	return out
}

// containers returns the ids of the project's containers that match the filters.
func (s stack) containers(t *testing.T, filters ...string) []string {
	t.Helper()
	args := []string{"ps", "--quiet", "--filter", "label=com.docker.compose.project=" + s.project}
	for _, filter := range filters {
		args = append(args, "--filter", filter)
	}
	out, err := output(t.Context(), s.environ, "docker", args...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(out)
}

func output(ctx context.Context, environ []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Env = &out, &out, environ
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return out.String(), nil
}

// localTag returns a tag of an image that the engine has, preferably the given one. Without any, the given one is pulled.
func localTag(t *testing.T, image, otherwise string) string {
	t.Helper()
	out, err := output(t.Context(), os.Environ(), "docker", "images", image, "--format", "{{.Tag}}")
	if err != nil {
		t.Fatal(err)
	}
	tags := strings.Fields(out)
	for _, tag := range tags {
		if tag == otherwise {
			return tag
		}
	}
	if len(tags) > 0 {
		return tags[0]
	}
	return otherwise
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
}
