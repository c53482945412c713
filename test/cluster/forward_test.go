package cluster_test

import (
	"bufio"
	"context"
	"os/exec"
	"regexp"
	"syscall"
	"testing"
	"time"
)

var forwarding = regexp.MustCompile(`Forwarding from (127\.0\.0\.1:\d+)`)

// forward runs `kubectl port-forward` on a free port until the test ends, and returns the URL.
func (k kube) forward(t *testing.T, target, port string) string {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()),
		"kubectl", "--namespace", k.namespace, "port-forward", "--address=127.0.0.1", target, ":"+port)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address := make(chan string, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		lines := bufio.NewScanner(stdout)
		for lines.Scan() { // kubectl prints a line per connection and blocks unless they are read
			if match := forwarding.FindStringSubmatch(lines.Text()); match != nil {
				address <- match[1]
			}
		}
		_ = cmd.Wait() // ended by the cleanup
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-ended
	})
	select {
	case a := <-address:
		return "http://" + a
	case <-ended:
		t.Fatalf("port-forward to %s ended", target)
	case <-time.After(30 * time.Second):
		t.Fatalf("port-forward to %s does not begin", target)
	}
	return ""
}
