package api

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/platform/body"
	"github.com/hp-analytics/hp-analytics/internal/platform/inflight"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/decode"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// attack is a body that is made to be refused late: repeat is written between head and tail until the body is as long as it
// may be.
type attack struct{ head, repeat, tail string }

func (a attack) body(size int) []byte {
	n := 0
	if a.repeat != "" {
		n = max(0, size-len(a.head)-len(a.tail)) / len(a.repeat)
	}
	return []byte(a.head + strings.Repeat(a.repeat, n) + a.tail)
}

// attacks are bodies that once cost much, or look as if they could.
var attacks = []attack{
	{`{`, `"a":1,`, `"b":1}`},                                    // unknown fields of a document or an event
	{`{"events":[{`, `"a":1,`, `"b":1}]}`},                       // of one event of a batch
	{`{`, `"type":1,`, `"type":1}`},                              // one field again and again
	{`{"events":[{"`, `\u0061`, `":1}]}`},                        // a long name to unescape
	{`{`, `"\u0061":1,`, `"b":1}`},                               // many names to unescape
	{`{"events":[`, `{},`, `{}]}`},                               // empty events, more than a batch holds
	{`{"events":[{"` + strings.Repeat("x", 31<<10), `":[`, ``},   // a long name over an array
	{`{"x":[`, `0,`, `0]}`},                                      // an array that nobody wants
	{`{"properties":{"a":"`, `\ud800`, `"}}`},                    // half emoji
	{`{"properties":{"a":"`, "\xff", `"}}`},                      // no UTF-8
	{`{"properties":`, `[`, ``},                                  // deep
	{`{"properties":`, `{"a":`, ``},                              // deep in the other way
	{`{"properties":{"a":`, `1`, `}}`},                           // a long number
	{`{"ts":"`, `9`, `"}`},                                       // a long time
	{`{"id":"`, `9`, `"}`},                                       // a long id
	{`{"quantity":`, `9`, `}`},                                   // a large quantity
	{``, "\n", `{}`},                                             // empty lines
	{``, "{\"a\":1,\"b\":1,\"c\":1}\n", ``},                      // lines with several problems
	{``, `{` + strings.Repeat(`"a":1,`, 800) + "\"b\":1}\n", ``}, // lines with hundreds of problems
	{``, "[[[[[[\n", ``},                                         // lines that are no JSON
	{``, strings.Repeat("[", 10_000) + "\n", ``},                 // deep lines
	{`{"events":[`, `{` + strings.Repeat(`"a":1,`, 800) + `"b":1},`, `{}]}`},
}

// corpus returns the attacks and what fuzzing found.
func corpus(tb testing.TB) []attack {
	tb.Helper()
	all := attacks
	files, err := filepath.Glob("testdata/fuzz/FuzzRefusals/*")
	if err != nil {
		tb.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		var parts []string
		for line := range strings.Lines(string(text)) {
			if quoted, ok := strings.CutPrefix(strings.TrimSpace(line), "string("); ok {
				part, err := strconv.Unquote(strings.TrimSuffix(quoted, ")"))
				if err != nil {
					tb.Fatalf("%s: %v", file, err)
				}
				parts = append(parts, part)
			}
		}
		if len(parts) != 3 {
			tb.Fatalf("%s holds %d strings, not 3", file, len(parts))
		}
		all = append(all, attack{parts[0], parts[1], parts[2]})
	}
	return all
}

// decoder reads the bodies of one kind of request, as its handler does.
type decoder struct {
	name  string
	limit int64
	read  func(s *Server, w http.ResponseWriter, r *http.Request, terms body.Terms) (problems int, err error)
}

var decoders = []decoder{
	{"event", event.MaxBytes, func(s *Server, w http.ResponseWriter, r *http.Request, terms body.Terms) (int, error) {
		data, release, err := s.readDocument(w, r, terms)
		if err != nil {
			return 0, err
		}
		defer release()
		d, err := decode.Event(data)
		return len(d.Problems), err
	}},
	{"purchase", event.MaxBytes, func(s *Server, w http.ResponseWriter, r *http.Request, terms body.Terms) (int, error) {
		data, release, err := s.readDocument(w, r, terms)
		if err != nil {
			return 0, err
		}
		defer release()
		d, err := decode.Purchase(data)
		return len(d.Problems), err
	}},
	{"bulk", event.MaxBatchBytes, readBulk("application/json")},
	{"ndjson", event.MaxBatchBytes, readBulk("application/x-ndjson")},
}

func readBulk(media string) func(s *Server, w http.ResponseWriter, r *http.Request, terms body.Terms) (int, error) {
	return func(s *Server, w http.ResponseWriter, r *http.Request, terms body.Terms) (int, error) {
		r.Header.Set("Content-Type", media)
		drafts, release, err := s.readEvents(w, r, terms)
		if err != nil {
			return 0, err
		}
		defer release()
		problems := 0
		for _, d := range drafts {
			problems += len(d.Problems)
		}
		return problems, nil
	}
}

var encodings = map[string]func(content []byte) []byte{
	"plain": func(content []byte) []byte { return content },
	"gzip": func(content []byte) []byte {
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		_, _ = w.Write(content) // a buffer takes everything
		_ = w.Close()
		return out.Bytes()
	},
	"zstd": func(content []byte) []byte {
		w, _ := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1)) // fails only on wrong options
		return w.EncodeAll(content, nil)
	},
}

// readingServer is a server that can read and does nothing else.
func readingServer() *Server {
	return &Server{bodies: body.NewOpener(inflight.NewBudget("ingest", inflight.Limits{Total: 1 << 30, Caller: 1 << 30, Address: 1 << 30}, prometheus.NewRegistry()),
		body.Pace{Stall: time.Minute, Rate: 1, Total: time.Minute})}
}

// refuse reads a body and returns its problems and the bytes it was charged for.
func (d decoder) refuse(s *Server, encoding string, content []byte) (problems int, charged int64) {
	r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(content))
	if encoding != "plain" {
		r.Header.Set("Content-Encoding", encoding)
	}
	terms := body.Terms{Bytes: d.limit, TooLarge: errBodyTooLarge, Charge: func(n int64) error {
		charged = n
		return nil
	}}
	problems, _ = d.read(s, httptest.NewRecorder(), r, terms)
	return problems, charged
}

// The bounds of one request, whatever its body: each problem costs a few allocations, and nothing else may cost any that
// grow with the body.
const (
	maxRequestProblems = 2 * event.MaxBatch
	maxRequestAllocs   = 6*maxRequestProblems + 500
	maxItemAllocs      = 6*event.MaxProblems + 500 // the race detector empties pools at random, so decoders may be new
)

// TestRefusedBodiesAreBounded counts problems and allocations, which do not depend on how fast the machine is. It is not
// parallel, because it counts allocations.
func TestRefusedBodiesAreBounded(t *testing.T) {
	s := readingServer()
	for _, d := range decoders {
		problemsAllowed, allocsAllowed := maxRequestProblems, maxRequestAllocs
		if d.limit == event.MaxBytes {
			problemsAllowed, allocsAllowed = event.MaxProblems, maxItemAllocs
		}
		for i, a := range corpus(t) {
			content := a.body(int(d.limit))
			for encoding, encode := range encodings {
				sent := encode(content)
				var problems int
				allocs := testing.AllocsPerRun(1, func() { problems, _ = d.refuse(s, encoding, sent) })
				if problems > problemsAllowed || int(allocs) > allocsAllowed {
					t.Errorf("%s, %s, attack %d (%.40q): %d problems and %.0f allocations, at most %d and %d are allowed",
						d.name, encoding, i, a.repeat, problems, allocs, problemsAllowed, allocsAllowed)
				}
			}
		}
	}
}

// FuzzRefusals looks for bodies that exceed the bounds. A file that it leaves in testdata is part of the corpus of the test
// and the benchmark.
func FuzzRefusals(f *testing.F) {
	for _, a := range attacks {
		f.Add(a.head, a.repeat, a.tail)
	}
	s := readingServer()
	f.Fuzz(func(t *testing.T, head, repeat, tail string) {
		content := attack{head, repeat, tail}.body(64 << 10)
		for _, d := range decoders {
			allowed := maxRequestProblems
			if d.limit == event.MaxBytes {
				allowed = event.MaxProblems
			}
			if problems, _ := d.refuse(s, "plain", content); problems > allowed {
				t.Errorf("%s: %d problems, at most %d are allowed", d.name, problems, allowed)
			}
		}
	})
}

// BenchmarkRefusals prints the CPU time of the most expensive body of the corpus for each decoder and encoding, per 64 KiB
// begun that its caller is charged for. It must stay below 5 ms.
func BenchmarkRefusals(b *testing.B) {
	all := corpus(b)
	for _, d := range decoders {
		for _, encoding := range []string{"plain", "gzip", "zstd"} {
			b.Run(d.name+"/"+encoding, func(b *testing.B) {
				s := readingServer()
				bodies := make([][]byte, len(all))
				for i, a := range all {
					bodies[i] = encodings[encoding](a.body(int(d.limit)))
					d.refuse(s, encoding, bodies[i]) // makes the decoders and buffers that are kept
				}
				runtime.GC() // of what the encoders left behind
				spent, units := make([]time.Duration, len(all)), make([]int64, len(all))
				for b.Loop() {
					for i, sent := range bodies {
						before := cpuTime(b)
						_, charged := d.refuse(s, encoding, sent)
						spent[i] += cpuTime(b) - before
						units[i] += charged/(64<<10) + 1
					}
				}
				worst, worstAttack := 0.0, 0
				for i := range all {
					if cost := spent[i].Seconds() * 1000 / float64(units[i]); cost > worst {
						worst, worstAttack = cost, i
					}
				}
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(worst, "cpu-ms/64KiB")
				b.ReportMetric(float64(worstAttack), "attack")
			})
		}
	}
}

// cpuTime returns the CPU time of the process so far, garbage collection included.
func cpuTime(tb testing.TB) time.Duration {
	tb.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
