package telemetry

import (
	"context"
	"fmt"

	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"
)

// Lookup reads one environment variable; os.LookupEnv is the usual one.
type Lookup func(name string) (string, bool)

// NewTracerProvider returns a tracer provider configured by the standard OTEL_* variables, and the function that
// flushes and stops it. Without an exporter in the environment (OTEL_TRACES_EXPORTER, OTEL_EXPORTER_OTLP_ENDPOINT or
// its traces variant) no span is recorded or sent, but every request still gets a trace id for logs, problem
// documents and tasks.
func NewTracerProvider(ctx context.Context, service, version string, lookup Lookup) (trace.TracerProvider, func(context.Context) error, error) {
	res, err := resource.Merge(resource.Default(), resource.NewSchemaless(
		semconv.ServiceName(service), semconv.ServiceVersion(version)))
	if err != nil {
		return nil, nil, fmt.Errorf("describe the service to OpenTelemetry: %w", err)
	}
	if !exporterConfigured(lookup) {
		provider := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample()), sdktrace.WithResource(res))
		return provider, provider.Shutdown, nil
	}
	exporter, err := autoexport.NewSpanExporter(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("open the trace exporter: %w", err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(res))
	return provider, provider.Shutdown, nil
}

func exporterConfigured(lookup Lookup) bool {
	for _, name := range []string{"OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"} {
		if value, ok := lookup(name); ok && value != "" && value != "none" {
			return true
		}
	}
	return false
}
