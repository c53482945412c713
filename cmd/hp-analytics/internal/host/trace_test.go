package host_test

import (
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
)

// TestTrace sends one event and follows it to the rollups, by the spans that the platform exports: those of the request, of the
// transaction that stores it, of the task, and of the fold that counts it are in one trace.
func TestTrace(t *testing.T) { // not parallel: the exporter reads the variables of the process
	spans := &receiver{}
	server := httptest.NewServer(spans)
	t.Cleanup(server.Close) // after the platform has stopped, which sends the last spans
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
	p := startPlatformOn(t, string(redistest.New(t).URL), "OTEL_EXPORTER_OTLP_ENDPOINT="+server.URL)
	s := newShop(p)
	s.create("TEA")

	const traceID, caller = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+"/events", strings.NewReader(`{"type":"view","sku":"TEA","user_id":"u"}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", s.key)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Traceparent", "00-"+traceID+"-"+caller+"-01")
	response, err := p.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	// The path from the request to the fold: each span is the child of the one before.
	path := []string{"POST /events", "flush events", "enqueue aggregate:batch", "aggregate:batch", "fold", "claim"}
	platformtest.Eventually(t, time.Minute, "the spans are exported", func() bool {
		all := spans.of(traceID)
		return !slices.ContainsFunc(path, func(name string) bool { return find(all, name) == nil })
	})
	all := spans.of(traceID)
	parent := caller
	for _, name := range path {
		span := find(all, name)
		if got := hex.EncodeToString(span.ParentSpanId); got != parent {
			t.Errorf("the parent of %q is %s, want %s", name, got, parent)
		}
		parent = hex.EncodeToString(span.SpanId)
	}
	flush, fold := find(all, "flush events"), find(all, "fold")
	if len(fold.Links) != 1 || string(fold.Links[0].SpanId) != string(flush.SpanId) {
		t.Errorf("the fold is linked to %v, not to the flush", fold.Links)
	}
	if got := attributes(fold); got["hpa.rows"] != "1" || got["hpa.batches"] != "1" {
		t.Errorf("the fold has the attributes %v", got)
	}
	tree := drawn(all, caller, "")
	t.Logf("the trace:\n%s", tree)
	page, err := os.ReadFile("../../../../docs/observability.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range path {
		if !strings.Contains(string(page), "─ "+name+"\n") && !strings.Contains(string(page), "─ "+name+" ") {
			t.Errorf("docs/observability.md has no span %q", name)
		}
	}
}

// find returns the first span with a name, nil if there is none.
func find(all []*otlp.Span, name string) *otlp.Span {
	i := slices.IndexFunc(all, func(s *otlp.Span) bool { return s.Name == name })
	if i < 0 {
		return nil
	}
	return all[i]
}

func attributes(span *otlp.Span) map[string]string {
	all := map[string]string{}
	for _, a := range span.Attributes {
		all[a.Key] = strconv.FormatInt(a.Value.GetIntValue(), 10)
	}
	return all
}

// drawn draws the spans below a parent as a tree.
func drawn(all []*otlp.Span, parent, indent string) string {
	var text strings.Builder
	for _, span := range all {
		if hex.EncodeToString(span.ParentSpanId) != parent {
			continue
		}
		took := time.Duration(span.EndTimeUnixNano - span.StartTimeUnixNano)
		fmt.Fprintf(&text, "%s─ %s %s\n", indent, span.Name, took)
		text.WriteString(drawn(all, hex.EncodeToString(span.SpanId), indent+"   "))
	}
	return text.String()
}

// receiver is a collector: it receives spans by OTLP over HTTP.
type receiver struct {
	mu    sync.Mutex
	spans []*otlp.Span
}

// ServeHTTP implements http.Handler.
func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	var export collector.ExportTraceServiceRequest
	if err != nil || proto.Unmarshal(body, &export) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, resource := range export.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			r.spans = append(r.spans, scope.Spans...)
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// of returns the spans of a trace, in the order in which they began.
func (r *receiver) of(traceID string) (all []*otlp.Span) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, span := range r.spans {
		if hex.EncodeToString(span.TraceId) == traceID {
			all = append(all, span)
		}
	}
	slices.SortStableFunc(all, func(a, b *otlp.Span) int { return int(int64(a.StartTimeUnixNano) - int64(b.StartTimeUnixNano)) })
	return all
}
