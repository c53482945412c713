package floor

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"syscall"
	"testing"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
)

func TestMain(m *testing.M) { platformtest.Main(m) }

// roundRequests is how many requests are measured at a time, on 64 connections.
const roundRequests = 64 * 64

// BenchmarkFloor sends requests to each server by turns, so that other work of the machine disturbs all of them alike. It reports
// for each what a request costs in CPU time, of which in the kernel, and how often a thread of the process stopped running.
func BenchmarkFloor(b *testing.B) {
	request := httptest.NewRequest(http.MethodGet, "/products/0195a3f2-7c1e-7b3a-9d54-2f6b1c8e4a10", nil)
	request.Header.Set("Authorization", "Bearer hpa_0123456789abcdefghijklmnopqrstuvwxyz0123456789")
	servers := []struct {
		name  string
		serve server
	}{{"net-http", netHTTP}, {"fasthttp", fastHTTP}, {"parsed", parsed}, {"unparsed", unparsed}, {"polled", polled}}
	var sides []*side
	for _, size := range []int{400, 8 << 10} {
		for _, s := range servers {
			traffic := platformtest.StartTraffic(b, s.serve.start(b, newAnswer(size)), request, http.StatusOK, roundRequests)
			traffic.Round() // connects and warms up
			sides = append(sides, &side{name: fmt.Sprintf("%s-%dB", s.name, size), traffic: traffic})
		}
	}
	for b.Loop() {
		for _, s := range sides {
			s.round(b)
		}
	}
	for _, s := range sides {
		b.ReportMetric(median(s.cpu), s.name+"-µs")
		b.ReportMetric(median(s.kernel), s.name+"-kernel-µs")
		b.ReportMetric(median(s.switches), s.name+"-switches")
	}
	b.ReportMetric(0, "ns/op")
}

// side is a server with its client and what its requests cost, by round.
type side struct {
	name                  string
	traffic               *platformtest.Traffic
	cpu, kernel, switches []float64
}

func (s *side) round(b *testing.B) {
	b.Helper()
	before := usage(b)
	s.traffic.Round()
	after := usage(b)
	per := func(n int64) float64 { return float64(n) / float64(s.traffic.Requests()) }
	kernel := after.Stime.Nano() - before.Stime.Nano()
	s.cpu = append(s.cpu, per(after.Utime.Nano()-before.Utime.Nano()+kernel)/1000)
	s.kernel = append(s.kernel, per(kernel)/1000)
	s.switches = append(s.switches, per(after.Nvcsw+after.Nivcsw-before.Nvcsw-before.Nivcsw))
}

func usage(b *testing.B) (u syscall.Rusage) {
	b.Helper()
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}
