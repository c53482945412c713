package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/telemetry"
)

func TestLogsContainTraceIDs(t *testing.T) {
	t.Parallel()
	provider, stop, err := telemetry.NewTracerProvider(t.Context(), "test", "v1", func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	ctx, span := provider.Tracer("test").Start(t.Context(), "work")
	if span.IsRecording() || !span.SpanContext().HasTraceID() {
		t.Error("without an exporter spans should carry ids and record nothing")
	}
	var out bytes.Buffer
	logger := telemetry.NewLogger(&out, telemetry.LogConfig{Level: slog.LevelInfo, Format: "json"})
	logger.DebugContext(ctx, "not wanted")
	logger.With("service", "tea").WithGroup("request").InfoContext(ctx, "served", "cups", 2)
	logger.InfoContext(t.Context(), "no trace")

	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("logged %q", lines)
	}
	var first struct {
		Msg     string `json:"msg"`
		Service string `json:"service"`
		Request struct {
			Cups    int    `json:"cups"`
			TraceID string `json:"trace_id"`
		} `json:"request"`
	}
	if err := json.Unmarshal([]byte(lines[0]), &first); err != nil {
		t.Fatal(err)
	}
	if first.Msg != "served" || first.Service != "tea" || first.Request.Cups != 2 || first.Request.TraceID != span.SpanContext().TraceID().String() {
		t.Errorf("logged %s", lines[0])
	}
	if strings.Contains(lines[1], "trace_id") {
		t.Errorf("logged %s", lines[1])
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := stop(ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func TestTextLogs(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	telemetry.NewLogger(&out, telemetry.LogConfig{Level: slog.LevelWarn, Format: "text"}).Warn("careful", "n", 1)
	if got := out.String(); !strings.Contains(got, "level=WARN msg=careful n=1") {
		t.Errorf("logged %q", got)
	}
	if err := (&telemetry.LogConfig{Format: "xml"}).Validate(); err == nil || !strings.Contains(err.Error(), "LOG_FORMAT") {
		t.Errorf("an odd format: %v", err)
	}
}

// TestExporterByEnvironment checks that the standard variables enable tracing, and that an unreachable collector does not
// delay the shutdown.
func TestExporterByEnvironment(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
	lookup := func(name string) (string, bool) { return "http://127.0.0.1:1", name == "OTEL_EXPORTER_OTLP_ENDPOINT" }
	provider, stop, err := telemetry.NewTracerProvider(t.Context(), "test", "v1", lookup)
	if err != nil {
		t.Fatal(err)
	}
	_, span := provider.Tracer("test").Start(t.Context(), "work")
	if !span.IsRecording() {
		t.Error("the span is not recorded")
	}
	span.End()
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_ = stop(ctx) // the export is expected to fail
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("the stop took %s", took)
	}
}

func TestRegistry(t *testing.T) {
	t.Parallel()
	families, err := telemetry.NewRegistry("v1.2.3").Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, family := range families {
		found[family.GetName()] = true
		if family.GetName() == "hpa_build_info" && family.GetMetric()[0].GetLabel()[0].GetValue() != "v1.2.3" {
			t.Errorf("build info %v", family)
		}
	}
	for _, name := range []string{"hpa_build_info", "go_goroutines", "process_cpu_seconds_total"} {
		if !found[name] {
			t.Errorf("there is no metric %s", name)
		}
	}
}

// lines is a log output that is safe for concurrent reads and writes.
type lines struct {
	mu     sync.Mutex
	text   strings.Builder
	writes int
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writes++
	return l.text.Write(p)
}

func (l *lines) count() (written, writes int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), "\n"), l.writes
}

func TestBufferFlushesAfterDelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out lines
		logger := telemetry.NewLogger(telemetry.NewBuffer(&out), telemetry.LogConfig{Level: slog.LevelInfo, Format: "json"}).With("a", 1)
		expect := func(when string, wantLines, wantWrites int) {
			t.Helper()
			synctest.Wait()
			if n, writes := out.count(); n != wantLines || writes != wantWrites {
				t.Errorf("%s: %d lines in %d writes, want %d in %d", when, n, writes, wantLines, wantWrites)
			}
		}
		logger.Info("one")
		logger.Info("two")
		expect("at once", 0, 0)
		<-time.After(100 * time.Millisecond)
		expect("after 100 ms", 2, 1)
		logger.Info("three")
		logger.Warn("four")
		expect("a warning", 4, 2)
		<-time.After(time.Second)
		expect("nothing more", 4, 2)
		logger.Info("five", "x", strings.Repeat("x", 40_000))
		expect("a long line", 5, 3)
	})
}
