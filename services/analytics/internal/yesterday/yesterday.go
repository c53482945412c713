// Package yesterday exports the totals of the last whole day of each project as metrics, for dashboards that keep the numbers of the
// business beside those of its machines.
package yesterday

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/stats"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/report"
)

const (
	// MaxProjects bounds how many projects are exported, the oldest ones, and so the time series of a process.
	MaxProjects = 100
	// interval is the time between two readings. What arrives late for yesterday is in the metrics after that time.
	interval = time.Minute
)

// Source has the numbers.
type Source interface {
	// Projects returns the oldest projects that are not archived, at most as many as limit.
	Projects(ctx context.Context, limit int) ([]authn.Project, error)
	Zones(ctx context.Context, project int16) (localtime.History, error)
	Overview(ctx context.Context, p authn.Project, r report.Range, interval report.Interval) (report.Overview, error)
}

// The metrics. Replicas of the service have the same values.
var (
	events   = describe("events", "Events of the day before today in the time zone of the project. These totals are there with ANALYTICS_EXPORT_YESTERDAY only, and every replica has the same.")
	orders   = describe("orders", "Orders of that day, refunded ones included.")
	units    = describe("units", "Units that were bought on that day.")
	users    = describe("users", "Distinct users with an event or an order on that day.")
	revenue  = describe("net_revenue_minor", "What was earned on that day in a currency, less what was paid back, in minor units of the currency.", "currency")
	complete = describe("complete", "1 if everything that was received for that day is counted, 0 while some of it is pending.")
	start    = describe("start_timestamp_seconds", "When that day began.")
)

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("hpa_analytics_yesterday_"+name, help, append([]string{"project"}, labels...), nil)
}

// Exporter is a collector of the totals that it has read last.
type Exporter struct {
	source  Source
	now     func() time.Time
	logger  *slog.Logger
	metrics atomic.Pointer[[]prometheus.Metric]
}

// New returns an exporter that has nothing to export before it runs, and registers it.
func New(source Source, now func() time.Time, logger *slog.Logger, registerer prometheus.Registerer) *Exporter {
	e := &Exporter{source: source, now: now, logger: logger}
	registerer.MustRegister(e)
	return e
}

// Describe implements prometheus.Collector.
func (e *Exporter) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{events, orders, units, users, revenue, complete, start} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (e *Exporter) Collect(out chan<- prometheus.Metric) {
	if metrics := e.metrics.Load(); metrics != nil {
		for _, m := range *metrics {
			out <- m
		}
	}
}

// Run reads the totals again and again until ctx ends. Totals that cannot be read are left out, because old ones would be those of
// another day.
func (e *Exporter) Run(ctx context.Context) {
	again := time.NewTicker(interval)
	defer again.Stop()
	for {
		metrics, err := e.read(ctx)
		if err != nil && ctx.Err() == nil {
			e.logger.WarnContext(ctx, "the totals of yesterday cannot be read", "error", err)
		}
		e.metrics.Store(&metrics)
		select {
		case <-again.C:
		case <-ctx.Done():
			return
		}
	}
}

func (e *Exporter) read(ctx context.Context) (all []prometheus.Metric, err error) {
	projects, err := e.source.Projects(ctx, MaxProjects)
	if err != nil {
		return nil, err
	}
	for _, p := range projects {
		of, failed := e.readProject(ctx, p)
		all, err = append(all, of...), errors.Join(err, failed)
	}
	return all, err
}

func (e *Exporter) readProject(ctx context.Context, p authn.Project) ([]prometheus.Metric, error) {
	zones, err := e.source.Zones(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	day := zones.Day(e.now()).Date().AddDate(0, 0, -1)
	o, err := e.source.Overview(ctx, p, report.Range{From: day, To: day}, report.Daily)
	if err != nil {
		return nil, err
	}
	return metricsOf(p.Slug, zones.Start(localtime.DayOfDate(day)), o), nil
}

func metricsOf(project string, began time.Time, o report.Overview) (all []prometheus.Metric) {
	add := func(d *prometheus.Desc, value float64, labels ...string) {
		all = append(all, prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, append([]string{project}, labels...)...))
	}
	add(events, float64(o.Totals.Counts[stats.Events]))
	add(orders, float64(o.Totals.Counts[stats.Purchases]))
	add(units, float64(o.Totals.Counts[stats.Units]))
	add(users, float64(o.Totals.Users.Number))
	for _, r := range o.Totals.Revenue {
		add(revenue, float64(r.GrossMinor-r.RefundedMinor), r.Currency)
	}
	counted := 0.0
	if o.Complete {
		counted = 1
	}
	add(complete, counted)
	add(start, float64(began.Unix()))
	return all
}
