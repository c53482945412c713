package platformtest

import (
	"context"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
)

// Read is a request whose cost BenchmarkReads-like benchmarks measure.
type Read struct {
	Name    string
	Handler http.Handler
	Request *http.Request
	Status  int
}

// roundRequests is how many requests of one kind are measured at a time.
const roundRequests = 64 * 64

// MeasureReads sends every read, and the same bytes from a bare net/http handler, by turns over connections that are kept
// alive, and reports what a request costs this process: its CPU time, the bare handler's, and allocations. Other work of the
// machine disturbs all of them alike. Run it with -benchtime=20x.
func MeasureReads(b *testing.B, reads ...Read) {
	b.Helper()
	type side struct {
		traffic *Traffic
		cpu     []float64 // µs a request, by round
		allocs  []float64
	}
	var sides []*side
	for _, read := range reads {
		answer := httptest.NewRecorder()
		read.Handler.ServeHTTP(answer, again(b, read.Request)) // also fills the caches
		if answer.Code != read.Status {
			b.Fatalf("%s: status %d %s", read.Name, answer.Code, answer.Body)
		}
		for _, handler := range []http.Handler{read.Handler, bare(answer)} {
			address := listen(b, handler)
			sides = append(sides, &side{traffic: StartTraffic(b, address, read.Request, read.Status, roundRequests)})
		}
	}
	for _, s := range sides {
		s.traffic.Round()
	}
	for b.Loop() {
		for _, s := range sides {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			begin := CPU(b)
			s.traffic.Round()
			used := CPU(b) - begin
			runtime.ReadMemStats(&after)
			requests := float64(s.traffic.Requests())
			s.cpu = append(s.cpu, float64(used.Nanoseconds())/1000/requests)
			s.allocs = append(s.allocs, float64(after.Mallocs-before.Mallocs)/requests)
		}
	}
	for i, read := range reads {
		ours, floor := sides[2*i], sides[2*i+1]
		b.ReportMetric(median(ours.cpu), read.Name+"-µs")
		b.ReportMetric(median(floor.cpu), read.Name+"-bare-µs")
		b.ReportMetric(median(ours.allocs), read.Name+"-allocs")
		b.ReportMetric(median(floor.allocs), read.Name+"-bare-allocs")
	}
	b.ReportMetric(0, "ns/op")
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// listen serves a handler as a service does, until the benchmark ends.
func listen(b *testing.B, handler http.Handler) (address string) {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it ends with the server
	if err != nil {
		b.Fatal(err)
	}
	server := httpserver.Component(listener, httpserver.Config{
		ReadTimeout: time.Minute, WriteTimeout: time.Minute, IdleTimeout: time.Minute, ShutdownTimeout: time.Second,
	}, handler, Discard())
	Go(b, func(ctx context.Context) { _ = server.Run(ctx, func() {}) })
	return listener.Addr().String()
}

// bare returns a handler that does nothing but write an answer.
func bare(answer *httptest.ResponseRecorder) http.Handler {
	status, header, body := answer.Code, answer.Header().Clone(), answer.Body.Bytes()
	if status == http.StatusOK {
		header.Set("Content-Length", strconv.Itoa(len(body)))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		maps.Copy(w.Header(), header)
		w.WriteHeader(status)
		_, _ = w.Write(body)
	})
}
