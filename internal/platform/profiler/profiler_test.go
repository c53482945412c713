package profiler_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"testing"

	"github.com/hp-analytics/hp-analytics/internal/localruntime/localproc"
	"github.com/hp-analytics/hp-analytics/internal/platform/profiler"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	for addr, valid := range map[string]bool{
		"": true, "127.0.0.1:6060": true, "[::1]:6060": true, "localhost:6060": true,
		":6060": false, "0.0.0.0:6060": false, "10.1.2.3:6060": false, "6060": false, "example.com:6060": false,
	} {
		if err := (&profiler.Config{Addr: addr}).Validate(); (err == nil) != valid {
			t.Errorf("PPROF_ADDR=%q: %v", addr, err)
		}
	}
}

// TestProfile takes a CPU profile, and stops the component while another one is running.
func TestProfile(t *testing.T) {
	t.Parallel()
	port, err := localproc.FreePort(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	addr := "127.0.0.1:" + strconv.Itoa(port)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ready, done := make(chan struct{}), make(chan error, 1)
	c := profiler.Component(profiler.Config{Addr: addr}, slog.New(slog.DiscardHandler))
	go func() { done <- c.Run(ctx, func() { close(ready) }) }()
	select {
	case <-ready:
	case err := <-done:
		t.Fatal(err)
	}
	profile := get(t, "http://"+addr+"/debug/pprof/profile?seconds=1")
	if gzip := []byte{0x1f, 0x8b}; !bytes.HasPrefix(profile, gzip) {
		t.Errorf("not a profile: %.100q", profile)
	}
	if index := get(t, "http://"+addr+"/debug/pprof/"); !bytes.Contains(index, []byte("goroutine")) {
		t.Errorf("the index lists no goroutines: %s", index)
	}

	response, err := http.Get("http://" + addr + "/debug/pprof/trace?seconds=100") // the header arrives at once
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	stop()
	if err := <-done; err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// TestOff checks that the component serves nothing without an address, and does not fail.
func TestOff(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	ready := make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- profiler.Component(profiler.Config{}, slog.New(slog.DiscardHandler)).Run(ctx, func() { close(ready) })
	}()
	<-ready
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func get(t *testing.T, url string) []byte {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s answers %s: %s (%v)", url, response.Status, body, err)
	}
	return body
}
