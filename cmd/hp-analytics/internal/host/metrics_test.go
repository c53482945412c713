package host_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/hp-analytics/hp-analytics/internal/platform/config"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/service"
	"github.com/hp-analytics/hp-analytics/internal/platform/telemetry"
	"github.com/hp-analytics/hp-analytics/services/aggregator"
	"github.com/hp-analytics/hp-analytics/services/analytics"
	"github.com/hp-analytics/hp-analytics/services/auth"
	"github.com/hp-analytics/hp-analytics/services/catalog"
	"github.com/hp-analytics/hp-analytics/services/ingest"
)

// metricsPage documents every metric, one a line.
const metricsPage = "../../../../docs/metrics.md"

// metric is a line of the page.
type metric struct {
	kind, help string
	labels     map[string]bool
	services   map[string]bool
}

// TestMetricsAreDocumented compares the metrics that the services register, with their types, labels and meanings, with
// docs/metrics.md. -update writes the page. A new metric needs nothing else.
func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	all := registered(t)
	var table strings.Builder
	table.WriteString("| metric | type | labels | services | what it says |\n|---|---|---|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		m := all[name]
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s | %s |\n", name, m.kind, list(m.labels, "`"), list(m.services, ""), m.help)
	}
	compareMetrics(t, table.String())
}

// list formats a set.
func list(set map[string]bool, quote string) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(set)) {
		all = append(all, quote+name+quote)
	}
	return strings.Join(all, ", ")
}

// compareMetrics compares the lines between the markers of the page with want, or writes them with -update.
func compareMetrics(t *testing.T, want string) {
	t.Helper()
	const begin, end = "<!-- metrics: begin (go test ./cmd/hp-analytics/internal/host -run TestMetricsAreDocumented -update) -->\n", "<!-- metrics: end -->\n"
	content, err := os.ReadFile(metricsPage)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, foundBegin := strings.Cut(string(content), begin)
	got, after, foundEnd := strings.Cut(rest, end)
	if !foundBegin || !foundEnd {
		t.Fatalf("%s has no region between %q and %q", metricsPage, begin, end)
	}
	if *update {
		if err := os.WriteFile(metricsPage, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := gocmp.Diff(strings.Split(got, "\n"), strings.Split(want, "\n")); diff != "" {
		t.Errorf("%s differs from the metrics (-documented +registered), -update writes it:\n%s", metricsPage, diff)
	}
}

// TestScrapedMetricsAreDocumented starts the platform, uses it, scrapes it, and looks every metric up in the page.
func TestScrapedMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	p := startPlatform(t)
	s := newShop(p)
	s.create("A")
	s.view("A")
	s.buy(s.key, "A")
	s.send(http.MethodGet, "/analytics/overview", s.admin, "")
	response, err := http.Get(p.url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	documented := documentedMetrics(t)
	seen := 0
	for name, family := range families {
		if !strings.HasPrefix(name, "hpa_") {
			continue
		}
		seen++
		want, ok := documented[name]
		got := fmt.Sprintf("| `%s` | %s | %s | %s |", name, strings.ToLower(family.GetType().String()), list(labelsOf(family), "`"), family.GetHelp())
		if !ok || got != want {
			t.Errorf("scraped    %s\ndocumented %s", got, want)
		}
	}
	if seen < 40 {
		t.Errorf("only %d metrics were scraped", seen)
	}
}

// documentedMetrics returns the lines of the page by metric, without the services.
func documentedMetrics(t *testing.T) map[string]string {
	t.Helper()
	content, err := os.ReadFile(metricsPage)
	if err != nil {
		t.Fatal(err)
	}
	lines := map[string]string{}
	for line := range strings.Lines(string(content)) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if len(cells) == 5 && strings.HasPrefix(line, "| `hpa_") {
			lines[strings.Trim(cells[0], "|` ")] = strings.Join(slices.Delete(cells, 3, 4), " | ")
		}
	}
	return lines
}

// registered returns the metrics that the services and their processes register, without a connection to anything.
func registered(t *testing.T) map[string]*metric {
	t.Helper()
	r := &recorder{Registerer: prometheus.NewRegistry(), t: t, all: map[string]*metric{}}
	record(t, r, "auth", auth.New)
	record(t, r, "catalog", catalog.New)
	record(t, r, "ingest", ingest.New)
	record(t, r, "analytics", analytics.New)
	record(t, r, "aggregator", aggregator.New)
	families, err := telemetry.NewRegistry("test").Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families { // go_ and process_ are those of their library
		if strings.HasPrefix(family.GetName(), "hpa_") {
			r.all[family.GetName()] = &metric{
				kind: strings.ToLower(family.GetType().String()), help: family.GetHelp(),
				labels: labelsOf(family), services: map[string]bool{"every process": true},
			}
		}
	}
	return r.all
}

// labelsOf returns the labels of the metrics of a family, less service, which the process adds.
func labelsOf(family *dto.MetricFamily) map[string]bool {
	labels := map[string]bool{}
	for _, m := range family.GetMetric() {
		for _, pair := range m.GetLabel() {
			if pair.GetName() != "service" {
				labels[pair.GetName()] = true
			}
		}
	}
	return labels
}

func record[C any](t *testing.T, r *recorder, name string, build func(context.Context, C, service.Deps) (service.Service, error)) {
	t.Helper()
	var cfg C
	environ := []string{"DATABASE_URL=postgres://localhost/none", "REDIS_URL=redis://localhost"}
	if err := config.Load(t.Context(), &cfg, config.Environ(environ, "")); err != nil {
		t.Fatal(err)
	}
	deps := platformtest.Deps(t)
	r.service = name
	deps.Registerer = r
	if _, err := build(t.Context(), cfg, deps); err != nil {
		t.Fatal(err)
	}
}

// recorder records what is registered. It registers nothing, because the services share names.
type recorder struct {
	prometheus.Registerer
	t       *testing.T
	service string
	all     map[string]*metric
}

// descPattern takes the parts of a description, which has no getters.
var descPattern = regexp.MustCompile(`^Desc\{fqName: "([^"]+)", help: "(.*)", unit: "[^"]*", constLabels: \{(.*)\}, variableLabels: \{(.*)\}\}$`)

// MustRegister implements prometheus.Registerer.
func (r *recorder) MustRegister(collectors ...prometheus.Collector) {
	for _, c := range collectors {
		descs := make(chan *prometheus.Desc, 64)
		c.Describe(descs)
		close(descs)
		for desc := range descs {
			match := descPattern.FindStringSubmatch(desc.String())
			if match == nil {
				r.t.Fatalf("a description reads otherwise: %s", desc)
			}
			if !strings.HasPrefix(match[1], "hpa_") {
				continue
			}
			m := &metric{kind: kindOf(c, desc), help: strings.ReplaceAll(match[2], `\"`, `"`), labels: map[string]bool{}, services: map[string]bool{}}
			if known := r.all[match[1]]; known != nil && (known.kind != m.kind || known.help != m.help) {
				r.t.Errorf("%s is a %s and a %s, %q and %q", match[1], known.kind, m.kind, known.help, m.help)
			}
			m = cmp.Or(r.all[match[1]], m)
			r.all[match[1]] = m
			m.services[r.service] = true
			for label := range strings.SplitSeq(match[3]+","+match[4], ",") {
				if name, _, _ := strings.Cut(label, "="); name != "" {
					m.labels[name] = true
				}
			}
		}
	}
}

// kindOf returns the type of a metric.
func kindOf(c prometheus.Collector, desc *prometheus.Desc) string {
	switch c.(type) {
	case *prometheus.CounterVec:
		return "counter"
	case *prometheus.GaugeVec:
		return "gauge"
	case *prometheus.HistogramVec:
		return "histogram"
	}
	metrics := make(chan prometheus.Metric, 64)
	c.Collect(metrics)
	close(metrics)
	for m := range metrics {
		var value dto.Metric
		if m.Desc().String() != desc.String() || m.Write(&value) != nil {
			continue
		}
		switch {
		case value.Counter != nil:
			return "counter"
		case value.Gauge != nil:
			return "gauge"
		case value.Histogram != nil:
			return "histogram"
		}
	}
	// Metrics of a server are there once it was measured. TestScrapedMetricsAreDocumented sees their types.
	if name := descPattern.FindStringSubmatch(desc.String())[1]; strings.HasSuffix(name, "_total") {
		return "counter"
	}
	return "gauge"
}
