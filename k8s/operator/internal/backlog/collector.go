package backlog

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// collector exports the readings. Every replica exports the same queues, so aggregate over replicas with max and not with sum.
// For a stale reading it exports only the age.
type collector struct{ snapshot *Snapshot }

var (
	queueLabel  = []string{"queue"}
	backlogDesc = prometheus.NewDesc("hpa_queue_backlog",
		"Tasks that wait or are being worked on (pending, active and aggregating).", queueLabel, nil)
	oldestDesc = prometheus.NewDesc("hpa_queue_oldest_pending_seconds",
		"How long the oldest pending task had waited when the queue was read.", queueLabel, nil)
	retryDesc = prometheus.NewDesc("hpa_queue_retry",
		"Tasks that failed and wait to be tried again.", queueLabel, nil)
	archivedDesc = prometheus.NewDesc("hpa_queue_archived",
		"Tasks that failed for good and are kept for somebody to look at.", queueLabel, nil)
	pausedDesc = prometheus.NewDesc("hpa_queue_paused",
		"1 while the queue is paused in Asynq, so that its backlog is not worked off.", queueLabel, nil)
	ageDesc = prometheus.NewDesc("hpa_queue_snapshot_age_seconds",
		"Time since the queue was last read.", queueLabel, nil)
)

// Describe implements prometheus.Collector.
func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{backlogDesc, oldestDesc, retryDesc, archivedDesc, pausedDesc, ageDesc} {
		ch <- desc
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	for queue, reading := range c.snapshot.all() {
		if reading.Time.IsZero() {
			continue
		}
		gauge := func(desc *prometheus.Desc, value float64) {
			ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, queue)
		}
		gauge(ageDesc, time.Since(reading.Time).Seconds())
		if _, err := c.snapshot.Get(queue); err != nil {
			continue
		}
		paused := 0.0
		if reading.Paused {
			paused = 1
		}
		gauge(backlogDesc, float64(reading.Backlog))
		gauge(oldestDesc, reading.OldestPending.Seconds())
		gauge(retryDesc, float64(reading.Retry))
		gauge(archivedDesc, float64(reading.Archived))
		gauge(pausedDesc, paused)
	}
}
