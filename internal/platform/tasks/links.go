package tasks

import (
	"context"
	"strings"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// linksHeader holds the links of a task: their traceparents (W3C Trace Context), separated by spaces.
const linksHeader = "links"

// traceparent is the header of one trace context.
const traceparent = "traceparent"

type linksKey struct{}

// Links returns the links of the task that runs in ctx: the work that it is for, of which only the first is in its trace.
func Links(ctx context.Context) []trace.Link {
	links, _ := ctx.Value(linksKey{}).([]trace.Link)
	return links
}

func addLinks(headers propagation.MapCarrier, links []trace.Link) {
	var all []string
	for _, link := range links {
		one := propagation.MapCarrier{}
		propagation.TraceContext{}.Inject(trace.ContextWithSpanContext(context.Background(), link.SpanContext), one)
		if one[traceparent] != "" {
			all = append(all, one[traceparent])
		}
	}
	if len(all) > 0 {
		headers[linksHeader] = strings.Join(all, " ")
	}
}

func linksOf(headers map[string]string) (links []trace.Link) {
	for one := range strings.FieldsSeq(headers[linksHeader]) {
		ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{traceparent: one})
		if context := trace.SpanContextFromContext(ctx); context.IsValid() {
			links = append(links, trace.Link{SpanContext: context})
		}
	}
	return links
}
