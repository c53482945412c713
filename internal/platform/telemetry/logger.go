// Package telemetry sets up structured logs, traces and metrics. Nothing here is global: main creates each value once and passes
// it on.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"go.opentelemetry.io/otel/trace"
)

// LogConfig sets the level and format of the log.
type LogConfig struct {
	// Level is the lowest level that is written: debug, info, warn or error.
	Level slog.Level `env:"LOG_LEVEL, default=info"`
	// Format is json (for machines, the default) or text (for a person at a terminal).
	Format string `env:"LOG_FORMAT, default=json"`
}

// Validate implements config.Validator.
func (c *LogConfig) Validate() error {
	if c.Format != "json" && c.Format != "text" {
		return errors.New("LOG_FORMAT: must be json or text, not " + fmt.Sprintf("%q", c.Format))
	}
	return nil
}

// NewLogger returns a logger that writes to w and adds trace_id and span_id of the context to each record. If w is a
// *Buffer, it is flushed with every warning and error.
func NewLogger(w io.Writer, cfg LogConfig) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.Level}
	buffer, _ := w.(*Buffer)
	if cfg.Format == "text" {
		return slog.New(traceHandler{slog.NewTextHandler(w, options), buffer})
	}
	return slog.New(traceHandler{slog.NewJSONHandler(w, options), buffer})
}

// traceHandler adds the ids of the current span to each record.
type traceHandler struct {
	slog.Handler
	buffer *Buffer // nil if the output is not buffered
}

// Handle implements slog.Handler.
func (h traceHandler) Handle(ctx context.Context, record slog.Record) error {
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		record.AddAttrs(
			slog.String("trace_id", span.TraceID().String()),
			slog.String("span_id", span.SpanID().String()),
		)
	}
	err := h.Handler.Handle(ctx, record)
	if h.buffer != nil && record.Level >= slog.LevelWarn {
		h.buffer.Flush()
	}
	return err
}

// WithAttrs implements slog.Handler.
func (h traceHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return traceHandler{h.Handler.WithAttrs(attrs), h.buffer}
}

// WithGroup implements slog.Handler.
func (h traceHandler) WithGroup(name string) slog.Handler {
	return traceHandler{h.Handler.WithGroup(name), h.buffer}
}
