package admission

import "github.com/prometheus/client_golang/prometheus"

// metrics say how full the service is, and what it refuses.
type metrics struct {
	full, aged prometheus.Counter
	wait       prometheus.Histogram
}

func newMetrics(l *Limiter, registerer prometheus.Registerer) *metrics {
	refused := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hpa_http_refused_total",
		Help: "Requests refused with 503 because the service works on as many as it can, by reason: the queue was full, or the wait too long.",
	}, []string{"reason"})
	m := &metrics{
		full: refused.WithLabelValues("full"), aged: refused.WithLabelValues("wait"),
		wait: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "hpa_http_slot_wait_seconds", Help: "How long requests waited that did not get a slot at once, refused ones too.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25},
		}),
	}
	gauge := func(name, help string, of func() int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			l.mu.Lock()
			defer l.mu.Unlock()
			return float64(of())
		})
	}
	registerer.MustRegister(refused, m.wait,
		gauge("hpa_http_slots", "Requests that the service may work on at the same time (HTTP_MAX_CONCURRENT_REQUESTS).", func() int { return l.config.MaxConcurrent }),
		gauge("hpa_http_slots_in_use", "Requests that the service works on. The operational endpoints and answers from memory are not among them.", func() int { return l.inUse }),
		gauge("hpa_http_slots_waiting", "Requests that wait until the service works on them.", func() int { return l.waiting }))
	return m
}
