package schedule

import (
	"context"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"
)

// measureInterval is the time between two measurements of the queue.
const measureInterval = 5 * time.Second

// QueueMetrics measures the queue of wake-up tasks. Every replica measures the same queue, so take the maximum over them.
type QueueMetrics struct {
	queue   *AsynqQueue
	tasks   *prometheus.GaugeVec
	latency prometheus.Gauge
	paused  prometheus.Gauge
	errors  prometheus.Counter
}

// NewQueueMetrics returns the metrics of queue. They are measured while Run runs.
func NewQueueMetrics(queue *AsynqQueue, registerer prometheus.Registerer) *QueueMetrics {
	m := &QueueMetrics{
		queue: queue,
		tasks: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "hpa_aggregator_queue_tasks", Help: "Wake-up tasks by state: pending, active, retry or archived.",
		}, []string{"state"}),
		latency: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "hpa_aggregator_queue_latency_seconds", Help: "How long the oldest pending wake-up task has waited.",
		}),
		paused: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "hpa_aggregator_queue_paused", Help: "1 while the queue is paused (hp-analytics queue pause).",
		}),
		errors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hpa_aggregator_queue_errors_total", Help: "Measurements of the queue that failed because Redis did not answer.",
		}),
	}
	registerer.MustRegister(m.tasks, m.latency, m.paused, m.errors)
	return m
}

// Run measures until ctx ends.
func (m *QueueMetrics) Run(ctx context.Context) {
	tick := time.NewTicker(measureInterval)
	defer tick.Stop()
	for {
		m.measure(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (m *QueueMetrics) measure(ctx context.Context) {
	info, err := m.queue.info(ctx)
	if err != nil {
		m.errors.Inc()
		return
	}
	if info == nil {
		info = &asynq.QueueInfo{}
	}
	for state, n := range map[string]int{"pending": info.Pending, "active": info.Active, "retry": info.Retry, "archived": info.Archived} {
		m.tasks.WithLabelValues(state).Set(float64(n))
	}
	m.latency.Set(info.Latency.Seconds())
	m.paused.Set(0)
	if info.Paused {
		m.paused.Set(1)
	}
}
