package load_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/test/bench/internal/load"
)

func post(body string) []byte {
	return fmt.Appendf(nil, "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// TestClosed checks that every request of a load reaches the server whole, and that what fails is told apart.
func TestClosed(t *testing.T) {
	t.Parallel()
	var bodies [4]atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		i := body[0] - '0'
		switch bodies[i].Add(1); i {
		case 1:
			w.WriteHeader(http.StatusTooManyRequests)
		case 2:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 3:
			panic(http.ErrAbortHandler)
		}
	}))
	defer server.Close()
	l := load.Load{URL: server.URL, Requests: [][]byte{post("0"), post("1"), post("2"), post("3")}, Connections: 3, Duration: 200 * time.Millisecond}
	got, err := l.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"429": int(bodies[1].Load()), "503": int(bodies[2].Load()), "connection": int(bodies[3].Load())}
	if diff := cmp.Diff(want, got.Failed); diff != "" || got.Answered != int(bodies[0].Load()) || got.Answered == 0 {
		t.Errorf("%d answered of %d, failed (-want +got):\n%s", got.Answered, bodies[0].Load(), diff)
	}
	if n := got.FailedTotal(); n != want["429"]+want["503"]+want["connection"] {
		t.Errorf("FailedTotal = %d", n)
	}
}

// TestOpen checks that a server that stalls is found out: latency counts from when a request was due.
func TestOpen(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	const stall = 300 * time.Millisecond
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		if n.Add(1) == 1 {
			select {
			case <-time.After(stall):
			case <-r.Context().Done():
			}
		}
	}))
	defer server.Close()
	l := load.Load{URL: server.URL, Requests: [][]byte{post("")}, Connections: 1, Duration: 400 * time.Millisecond, Rate: 100}
	got, err := l.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.Answered != 40 || len(got.Failed) > 0 {
		t.Errorf("%d answered, failed %v; want all 40 that were due", got.Answered, got.Failed)
	}
	// A closed load would have one slow request; here those that were due meanwhile are slow as well.
	if p := got.Percentile(50); p < 20*time.Millisecond {
		t.Errorf("p50 %s hides the stall of %s", p, stall)
	}
}

func TestPercentile(t *testing.T) {
	t.Parallel()
	var o load.Outcome
	if o.Percentile(99) != 0 {
		t.Error("no latencies have a percentile")
	}
	for i := range 200 {
		o.Latencies = append(o.Latencies, time.Duration(i+1))
	}
	for p, want := range map[float64]time.Duration{0: 1, 50: 100, 95: 190, 99: 198, 99.5: 199, 100: 200} {
		if got := o.Percentile(p); got != want {
			t.Errorf("p%g of 1..200 = %d, want %d", p, got, want)
		}
	}
}
