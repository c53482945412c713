package committer

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// traced starts the span of a flush, if a request of it is traced. It belongs to the trace of the first such request, and has links
// to the other ones: a span has one parent.
func traced[R any](ctx context.Context, kind string, members []*member[R]) (context.Context, trace.Span) {
	var parent trace.Span
	var links []trace.Link
	rows := 0
	for _, m := range members {
		rows += m.rows
		switch {
		case !m.span.SpanContext().IsSampled():
		case parent == nil:
			parent = m.span
		default:
			links = append(links, trace.Link{SpanContext: m.span.SpanContext()})
		}
	}
	if parent == nil {
		return ctx, trace.SpanFromContext(ctx)
	}
	tracer := parent.TracerProvider().Tracer("github.com/hp-analytics/hp-analytics/services/ingest/internal/committer")
	return tracer.Start(trace.ContextWithSpan(ctx, parent), "flush "+kind, trace.WithLinks(links...), //nolint:spancheck // the caller ends it
		trace.WithAttributes(attribute.Int("hpa.requests", len(members)), attribute.Int("hpa.rows", rows)))
}
