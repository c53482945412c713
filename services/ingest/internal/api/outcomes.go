package api

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// outcomes counts what happened to events and orders.
type outcomes struct {
	events   *prometheus.CounterVec
	rejected *prometheus.CounterVec
	orders   *prometheus.CounterVec
	refunds  *prometheus.CounterVec
}

func newOutcomes(registerer prometheus.Registerer) *outcomes {
	counter := func(name, help, label string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
		registerer.MustRegister(c)
		return c
	}
	return &outcomes{
		events:   counter("hpa_ingest_events_total", "Events answered as stored, by status: accepted or duplicate.", "status"),
		rejected: counter("hpa_ingest_events_rejected_total", "Events refused, by the code of their first problem.", "code"),
		orders:   counter("hpa_ingest_orders_total", "Orders and purchases by status: stored, replayed or rejected.", "status"),
		refunds:  counter("hpa_ingest_refunds_total", "Refunds by status: stored, replayed or rejected.", "status"),
	}
}

// count counts an event that is stored.
func (o *outcomes) count(status event.Status) {
	if status == event.Duplicate {
		o.events.WithLabelValues("duplicate").Inc()
	} else {
		o.events.WithLabelValues("accepted").Inc()
	}
}

// reject counts a refused event.
func (o *outcomes) reject(code string) { o.rejected.WithLabelValues(code).Inc() }

// refused counts the event of a failed request if the event was the reason.
func (o *outcomes) refused(err error) {
	if e, ok := errors.AsType[*errs.Error](err); ok && e.Kind == errs.Invalid && len(e.Fields) > 0 {
		o.reject(e.Fields[0].Code)
	}
}

// order counts an order or a purchase.
func (o *outcomes) order(replayed bool, err error) { countStored(o.orders, replayed, err) }

func (o *outcomes) refund(replayed bool, err error) { countStored(o.refunds, replayed, err) }

func countStored(counter *prometheus.CounterVec, replayed bool, err error) {
	switch {
	case err == nil && replayed:
		counter.WithLabelValues("replayed").Inc()
	case err == nil:
		counter.WithLabelValues("stored").Inc()
	case errs.Is(err, errs.Invalid) || errs.Is(err, errs.Conflict) || errs.Is(err, errs.NotFound):
		counter.WithLabelValues("rejected").Inc()
	}
}
