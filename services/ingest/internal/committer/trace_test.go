package committer

import (
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// A flush continues the trace of its first traced request, and is linked to the other ones.
func TestFlushIsTraced(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	request := func(provider trace.TracerProvider) *member[int] {
		_, span := provider.Tracer("test").Start(t.Context(), "request") //nolint:spancheck // what is tested does not depend on its end
		return &member[int]{span: span, rows: 2}                         //nolint:spancheck // what is tested does not depend on its end
	}
	unsampled := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample()))
	members := []*member[int]{request(unsampled), request(provider), request(provider)}
	_, flush := traced(t.Context(), "events", members)
	flush.End()
	ended := spans.Ended()
	if len(ended) != 1 || ended[0].Name() != "flush events" {
		t.Fatalf("ended %v", ended)
	}
	if parent := ended[0].Parent(); !parent.Equal(members[1].span.SpanContext()) {
		t.Errorf("the parent is %v", parent)
	}
	if links := ended[0].Links(); len(links) != 1 || !links[0].SpanContext.Equal(members[2].span.SpanContext()) {
		t.Errorf("links %v", links)
	}
	if _, none := traced(t.Context(), "events", members[:1]); none.SpanContext().IsValid() {
		t.Error("a flush of requests that are not traced has a span")
	}
}
