package ingest_test

import (
	"bytes"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/services/ingest"
)

// slow begins a bulk request, sends filling bytes of its body and then waits for rest to be closed.
func (p *platform) slow(filling int, rest <-chan struct{}) <-chan int {
	return p.slowly("application/json", filling, rest, bulk(view("")))
}

// slowly is slow with a body of any media type.
func (p *platform) slowly(media string, filling int, rest <-chan struct{}, end string) <-chan int {
	reader, writer := io.Pipe()
	go func() {
		_, _ = io.WriteString(writer, strings.Repeat(strings.Repeat(" ", 1023)+"\n", filling/1024))
		<-rest
		_, _ = io.WriteString(writer, end)
		writer.Close()
	}()
	status := make(chan int, 1)
	go func() {
		defer close(status)
		request, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.url+"/events/bulk", reader)
		if err != nil {
			return
		}
		request.Header.Set("Authorization", "Bearer "+p.ingestKey)
		request.Header.Set("Content-Type", media)
		if response, err := http.DefaultClient.Do(request); err == nil {
			response.Body.Close()
			status <- response.StatusCode
		}
	}()
	return status
}

// patient is an option: little memory, of which one caller may have all, and no hurry.
func patient(cfg *ingest.Config) {
	cfg.MaxInflightBytes, cfg.MaxCallerBytes, cfg.MaxAddressBytes = 16<<20, 32<<20, 32<<20
	cfg.BodyStall, cfg.HTTP.ReadTimeout = time.Hour, time.Hour
}

// TestSlowConnectionsOfOneCallerStopNobodyElse opens 200 connections of one caller that would hold more than all the memory.
func TestSlowConnectionsOfOneCallerStopNobodyElse(t *testing.T) {
	t.Parallel()
	p := start(t, patient, func(cfg *ingest.Config) { cfg.MaxCallerBytes = 8 << 20 })
	other := p.apiKey("ingest")
	rest := make(chan struct{})
	var slow []<-chan int
	for n := range 200 {
		held := p.gauge("hpa_ingest_inflight_bytes")
		slow = append(slow, p.slow(200<<10, rest))
		if n < 36 { // of which 38 fit; connections that grow together could all be refused halfway
			platformtest.Eventually(t, time.Minute, "the connection holds what it sent", func() bool {
				return p.gauge("hpa_ingest_inflight_bytes") > held+190<<10 // the rest may still be in the client's buffer
			})
		}
	}
	for range 20 {
		p.post("/events", other, view("")).expect(t, http.StatusAccepted, "")
		p.post("/events/bulk", other, strings.Repeat(" ", 4<<20)+bulk(view(""))).expectBulk(t, 1, 0)
		p.post("/purchases", other, twoShoes).expect(t, http.StatusCreated, "")
	}
	denied := p.post("/events/bulk", p.ingestKey, strings.Repeat(" ", 4<<20)+bulk(view("")))
	denied.expect(t, http.StatusTooManyRequests, "too_much_in_flight")
	if denied.header.Get("Retry-After") == "" {
		t.Error("429 without Retry-After")
	}
	close(rest)
	answers := map[int]int{}
	for _, status := range slow {
		answers[<-status]++
	}
	if answers[http.StatusAccepted] < 20 || answers[http.StatusServiceUnavailable] > 0 {
		t.Errorf("the slow ones were answered with %v (0: cut off while sending)", answers)
	}
	platformtest.Eventually(t, time.Minute, "all memory is given back", func() bool { return p.gauge("hpa_ingest_inflight_bytes") == 0 })
}

func TestOverloadIsAnswered(t *testing.T) {
	t.Parallel()
	p := start(t, patient)
	const filling = 5<<20 - 4096 // leaves room for the event itself
	rest := make(chan struct{})
	var slow []<-chan int
	for range 3 {
		slow = append(slow, p.slow(filling, rest))
	}
	platformtest.Eventually(t, time.Minute, "three bodies are in memory", func() bool {
		return p.gauge("hpa_ingest_inflight_bytes") > 3*(filling-1024)
	})
	large := strings.Repeat(" ", 2<<20) + bulk(view(""))
	denied := p.post("/events/bulk", p.ingestKey, large)
	denied.expect(t, http.StatusServiceUnavailable, "overloaded")
	if denied.header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
	p.post("/events", p.ingestKey, view("")).expect(t, http.StatusAccepted, "") // small ones still fit
	close(rest)
	for i, status := range slow {
		if got := <-status; got != http.StatusAccepted {
			t.Errorf("slow request %d: got %d", i, got)
		}
	}
	p.post("/events/bulk", p.ingestKey, large).expectBulk(t, 1, 0)
	if held := p.gauge("hpa_ingest_inflight_bytes"); held != 0 {
		t.Errorf("%v bytes are still counted", held)
	}
}

// TestStreamsAreNotHeld has more NDJSON on its way than fits into memory.
func TestStreamsAreNotHeld(t *testing.T) {
	t.Parallel()
	p := start(t, patient)
	const filling = 5<<20 - 4096
	rest := make(chan struct{})
	var slow []<-chan int
	for range 4 {
		slow = append(slow, p.slowly("application/x-ndjson", filling, rest, view("")))
	}
	platformtest.Eventually(t, time.Minute, "all streams are being read", func() bool {
		return p.gauge("hpa_ingest_inflight_bytes") >= 4*(32<<10)
	})
	p.post("/events/bulk", p.ingestKey, strings.Repeat(" ", 2<<20)+bulk(view(""))).expectBulk(t, 1, 0) // there is room for others
	close(rest)
	for i, status := range slow {
		if got := <-status; got != http.StatusAccepted {
			t.Errorf("stream %d: got %d", i, got)
		}
	}
	platformtest.Eventually(t, time.Minute, "all memory is given back", func() bool { return p.gauge("hpa_ingest_inflight_bytes") == 0 })
}

// gauge returns the value of a gauge without labels.
func (p *platform) gauge(name string) float64 {
	p.t.Helper()
	families, err := p.deps.Gatherer.Gather()
	if err != nil {
		p.t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == name {
			return family.GetMetric()[0].GetGauge().GetValue()
		}
	}
	p.t.Fatalf("there is no metric %s", name)
	return 0
}

// TestBombs sends 1 GiB in a small body. It does not run in parallel with others, because it measures what is allocated.
func TestBombs(t *testing.T) {
	p := start(t)
	const part = 16 << 20
	for encoding, compressed := range map[string][]byte{
		"gzip": gzipped(t, strings.Repeat("\x00", part)), "zstd": zstandard(t, strings.Repeat("\x00", part)),
	} {
		bomb := bytes.Repeat(compressed, 1<<30/part)
		for _, to := range []struct{ path, media, code string }{
			{"/events", "application/json", "event_too_large"},
			{"/purchases", "application/json", "body_too_large"},
			{"/events/bulk", "application/json", "compression_ratio"},
			{"/events/bulk", "application/x-ndjson", "compression_ratio"},
		} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			a := p.send(http.MethodPost, to.path, p.ingestKey, bomb, "Content-Encoding", encoding, "Content-Type", to.media)
			runtime.ReadMemStats(&after)
			a.expect(t, http.StatusRequestEntityTooLarge, to.code)
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<20 {
				t.Errorf("%s %s %s: %d MiB were allocated for a body of %d KiB", to.path, to.media, encoding, grown>>20, len(bomb)>>10)
			}
		}
	}
}
