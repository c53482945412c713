package load_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
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

// TestOnce checks that a load with Once sends every request exactly once, over connections that the server closes.
func TestOnce(t *testing.T) {
	t.Parallel()
	var asked [10]atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked[body[0]-'0'].Add(1)
		w.Header().Set("Connection", "close")
	}))
	defer server.Close()
	l := load.Load{URL: server.URL, Connections: 4, Duration: time.Minute, Once: true, Parts: 2}
	for i := range asked {
		l.Requests = append(l.Requests, post(string(rune('0'+i))))
	}
	got, err := l.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.Answered != len(asked) || got.FailedTotal() > 0 {
		t.Errorf("%d answered, failed %v; want %d, and a closed connection is no failure", got.Answered, got.Failed, len(asked))
	}
	if got.Parts[0] != len(asked) || got.Parts[1] != 0 {
		t.Errorf("parts %v: all answers came in the first half of a minute", got.Parts)
	}
	for i := range asked {
		if n := asked[i].Load(); n != 1 {
			t.Errorf("request %d was sent %d times", i, n)
		}
	}
}

func TestMean(t *testing.T) {
	t.Parallel()
	if got := (load.Outcome{}).Mean(); got != 0 {
		t.Errorf("the mean of nothing is %s", got)
	}
	if got := (load.Outcome{Latencies: []time.Duration{1, 2, 6}}).Mean(); got != 3 {
		t.Errorf("the mean of 1, 2 and 6 is %d", got)
	}
}

// TestChunks checks that answers without a Content-Length are read to their end: the next one on the connection is read as well.
func TestChunks(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for range 3 {
			_, _ = io.WriteString(w, strings.Repeat("x", 5000))
			_ = http.NewResponseController(w).Flush()
		}
	}))
	defer server.Close()
	l := load.Load{URL: server.URL, Connections: 1, Duration: time.Minute, Once: true, Requests: [][]byte{post("0"), post("1"), post("2")}}
	got, err := l.Run(t.Context())
	if err != nil || got.Answered != 3 || got.FailedTotal() > 0 {
		t.Errorf("%d answered, failed %v, %v", got.Answered, got.Failed, err)
	}
}
