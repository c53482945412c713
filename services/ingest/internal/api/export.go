package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/admission"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
	"github.com/hp-analytics/hp-analytics/internal/platform/rows"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/history"
)

// emit writes a row of an export.
type emit func(row any, mark history.Mark) error

// ExportEvents answers GET /events/export.
func (h *History) ExportEvents(w http.ResponseWriter, r *http.Request, params ExportEventsParams) {
	h.export(w, r, params.Day, params.After, eventColumns, func(ctx context.Context, e history.Export, emit emit) error {
		return h.store.ExportEvents(ctx, e, func(event history.Event, m history.Mark) error { return emit(exportedEvent(event, m), m) })
	})
}

// ExportOrders answers GET /orders/export.
func (h *History) ExportOrders(w http.ResponseWriter, r *http.Request, params ExportOrdersParams) {
	h.export(w, r, params.Day, params.After, orderLineColumns, func(ctx context.Context, e history.Export, emit emit) error {
		return h.store.ExportOrders(ctx, e, func(o history.Order, m history.Mark) error { return emit(exportedOrderLine(o, m), m) })
	})
}

// ExportRefunds answers GET /refunds/export.
func (h *History) ExportRefunds(w http.ResponseWriter, r *http.Request, params ExportRefundsParams) {
	h.export(w, r, params.Day, params.After, refundLineColumns, func(ctx context.Context, e history.Export, emit emit) error {
		return h.store.ExportRefunds(ctx, e, func(f history.Refund, m history.Mark) error { return emit(exportedRefundLine(f, m), m) })
	})
}

var errTooManyExports = errs.New(errs.Unavailable, "too_many_exports", "Other exports are running. Try again later.").After(10 * time.Second)

// export answers with the rows that read emits.
func (h *History) export(
	w http.ResponseWriter, r *http.Request, day ExportDay, after *string, columns []string,
	read func(ctx context.Context, e history.Export, emit emit) error,
) {
	answer := h.answer(w, rows.Negotiate(r.Header, rows.NDJSON, rows.CSV))
	answer.trailers = trailerRows + ", " + trailerCursor
	h.end(answer, r, h.runExport(r, answer, day, after, columns, read))
}

func (h *History) answer(w http.ResponseWriter, format rows.Format) *exportAnswer {
	return &exportAnswer{w: w, controller: http.NewResponseController(w), stall: h.options.Stall, format: format}
}

// end ends the answer to an export. An error before the first byte is answered; later, the connection is aborted, so that the client
// cannot take what it has for all there is.
func (h *History) end(answer *exportAnswer, r *http.Request, err error) {
	switch {
	case err == nil:
	case !answer.begun:
		problem.Write(answer.w, r, err)
	case answer.failed != nil:
		h.logger.InfoContext(r.Context(), "the reader of an export is gone or too slow", "rows", answer.sent, "err", answer.failed)
		panic(http.ErrAbortHandler)
	default:
		h.logger.WarnContext(r.Context(), "an export was ended before all rows were sent", "rows", answer.sent, "err", err)
		panic(http.ErrAbortHandler)
	}
}

// slot takes the place of one export, or returns that there is none. The caller gives it back. It takes minutes, so the export does not
// count as a request in progress any more.
func (h *History) slot(ctx context.Context) (release func(), err error) {
	select {
	case h.slots <- struct{}{}:
		admission.Release(ctx)
		return func() { <-h.slots }, nil
	default:
		return nil, errTooManyExports
	}
}

// settle gives back what an export has taken of the quota if it failed before its first byte for a reason that is not the client's, such
// as that there is no place for it. The handler defers it.
func (h *History) settle(ctx context.Context, answer *exportAnswer, caller authn.Principal, err *error) {
	if h.options.Limiter == nil || answer.begun || !errs.Is(*err, errs.Unavailable) {
		return
	}
	header := answer.w.Header()
	header.Del("Ratelimit") // describes the quota before
	header.Del("Ratelimit-Policy")
	h.options.Limiter.Refund(context.WithoutCancel(ctx), caller.QuotaKey(), exportCost)
}

// withDeadline returns the context of an export, which may take longer than other requests. When the client is gone, writing fails.
func (h *History) withDeadline(ctx context.Context, answer *exportAnswer) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.options.Timeout)
	answer.until, _ = ctx.Deadline()
	return ctx, cancel
}

func (h *History) runExport(
	r *http.Request, answer *exportAnswer, day ExportDay, after *string, columns []string,
	read func(ctx context.Context, e history.Export, emit emit) error,
) (err error) {
	caller, err := h.charge(r.Context(), answer.w, exportCost)
	if err != nil {
		return err
	}
	defer h.settle(r.Context(), answer, caller, &err)
	e := history.Export{Project: caller.Project.ID}
	zones, err := h.store.Zones(r.Context(), e.Project)
	if err != nil {
		return err
	}
	if e.Range, err = history.DayRange(day.Format(time.DateOnly), zones); err != nil {
		return err
	}
	if after != nil {
		if e.After, err = history.ParseMark(*after, e.Range); err != nil {
			return err
		}
	}
	release, err := h.slot(r.Context())
	if err != nil {
		return err
	}
	defer release()
	if r.Method == http.MethodHead {
		answer.begin()
		return nil
	}
	ctx, cancel := h.withDeadline(r.Context(), answer)
	defer cancel()
	return answer.send(columns, func(emit emit) error { return read(ctx, e, emit) })
}

// exportAnswer is the answer to an export. As an io.Writer it fails when the client takes nothing for too long.
type exportAnswer struct {
	w          http.ResponseWriter
	controller *http.ResponseController
	stall      time.Duration
	until      time.Time // when the export has to end
	format     rows.Format
	trailers   string // the names of those that follow
	begun      bool
	sent       int
	failed     error // why the client gets no more
}

// The trailers of a complete export.
const (
	trailerRows   = "Export-Rows"
	trailerCursor = "Export-Cursor"
)

// send writes the rows that read emits.
func (a *exportAnswer) send(columns []string, read func(emit emit) error) error {
	writer, err := rows.NewWriter(a, a.format, columns)
	if err != nil {
		return err
	}
	var last history.Mark
	err = read(func(row any, mark history.Mark) error {
		encoded, err := json.Marshal(row)
		if err != nil {
			return fmt.Errorf("encode a row: %w", err)
		}
		a.sent, last = a.sent+1, mark
		return writer.Write(encoded)
	})
	if err != nil {
		return err
	}
	a.begin()
	if err := writer.Flush(); err != nil {
		return err
	}
	header := a.w.Header()
	header.Set(trailerRows, strconv.Itoa(a.sent))
	if a.sent > 0 {
		header.Set(trailerCursor, last.Cursor())
	}
	return nil
}

// begin sends the header, once.
func (a *exportAnswer) begin() {
	if a.begun {
		return
	}
	a.begun = true
	header := a.w.Header()
	header.Set("Content-Type", a.format.ContentType())
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no") // nginx passes the stream on and collects none of it on its disk
	if a.trailers != "" {
		header.Set("Trailer", a.trailers)
	}
	a.w.WriteHeader(http.StatusOK)
}

// Write implements io.Writer.
func (a *exportAnswer) Write(p []byte) (int, error) {
	a.begin()
	deadline := time.Now().Add(a.stall)
	if a.until.Before(deadline) {
		deadline = a.until
	}
	if err := a.controller.SetWriteDeadline(deadline); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, fmt.Errorf("limit the time of a write: %w", err)
	}
	n, err := a.w.Write(p)
	if err != nil {
		a.failed = err
		return n, fmt.Errorf("the client is gone or too slow: %w", err)
	}
	return n, nil
}
