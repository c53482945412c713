package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
)

func TestMain(m *testing.M) { platformtest.Main(m) }

const nginxConfig = `
daemon off;
pid %[1]s/pid;
error_log stderr;
events {}
http {
    include %[2]s/http.conf;
    limit_req_zone $gateway_client zone=per_address:1m rate=300r/s;
    limit_req_zone $gateway_client zone=logins:1m rate=2r/s;
    upstream auth { server unix:%[1]s/none; }
    upstream catalog { server unix:%[1]s/none; }
    upstream analytics { server unix:%[1]s/none; }
    upstream ingest { server %[3]s; }
    server {
        listen unix:%[1]s/gateway;
        include %[2]s/server.conf;
    }
}
`

// startNginx runs the gateway in front of ingest, and returns a client of it.
func startNginx(t *testing.T, ingest string) *http.Client {
	t.Helper()
	program, err := exec.LookPath("nginx")
	if err != nil {
		t.Fatalf("%v: make test-deps installs it", err)
	}
	dir, err := os.MkdirTemp("/tmp", "nginx") //nolint:usetesting // short enough for the path of a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	shared, err := filepath.Abs("../../../../charts/hp-analytics/files/nginx")
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, nginxConfig, dir, shared, ingest), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), program, "-c", config, "-e", "stderr")
	var output strings.Builder
	command.Stdout, command.Stderr = &output, &output
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Wait()
		if t.Failed() {
			t.Log(output.String())
		}
	})
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(dir, "gateway"))
	}
	client := &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
	platformtest.Eventually(t, time.Minute, "nginx answers", func() bool {
		response, err := client.Get("http://gateway/health")
		if err == nil {
			response.Body.Close()
		}
		return err == nil
	})
	return client
}

// A page may read what the gateway itself refuses where it may call, or it could not wait and send again. What a service says is not
// repeated.
func TestPagesReadRefusalsOfTheGateway(t *testing.T) {
	t.Parallel()
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/segment/v1/page" { // as a service that ends while it answers
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
	}))
	t.Cleanup(service.Close)
	client := startNginx(t, strings.TrimPrefix(service.URL, "http://"))
	const origin = "https://shop.example"
	for _, c := range []struct {
		path, body string
		status     int
		allowed    []string
	}{
		{"/segment/v1/track", "{}", http.StatusOK, []string{origin}},
		{"/segment/v1/page", "{}", http.StatusServiceUnavailable, []string{origin}},
		{"/posthog/e/?ip=0", strings.Repeat("x", 5<<20+1), http.StatusRequestEntityTooLarge, []string{origin}},
		{"/events", strings.Repeat("x", 5<<20+1), http.StatusRequestEntityTooLarge, nil},
		{"/products", "{}", http.StatusServiceUnavailable, nil},
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://gateway"+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Origin", origin)
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if got := response.Header.Values("Access-Control-Allow-Origin"); response.StatusCode != c.status || fmt.Sprint(got) != fmt.Sprint(c.allowed) {
			t.Errorf("%s: %d, readable by %q; want %d, %q", c.path, response.StatusCode, got, c.status, c.allowed)
		}
	}
}
