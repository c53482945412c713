package compose_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.yaml.in/yaml/v4"

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

const (
	files    = "../../charts/hp-analytics/files"
	operator = "../../k8s/operator"
)

// metricName matches metrics of the platform, of the Go runtime and of the process.
var metricName = regexp.MustCompile(`\b(?:hpa|go|process)_[a-z0-9_]+\b`)

// TestMetricsExist checks that dashboards and alerts use only metrics that the programs export. A renamed metric would leave
// an empty panel or an alert that never fires.
func TestMetricsExist(t *testing.T) {
	t.Parallel()
	known := operatorMetrics(t)
	maps.Copy(known, serviceMetrics(t))
	asked := map[string]string{} // by metric, where it is asked for
	for _, rule := range alerts(t) {
		for _, name := range metricName.FindAllString(rule.Expr, -1) {
			asked[name] = rule.Alert
		}
	}
	for path, board := range dashboards(t) {
		for _, expr := range board.expressions() {
			for _, name := range metricName.FindAllString(expr, -1) {
				asked[name] = filepath.Base(path)
			}
		}
	}
	if len(asked) < 30 {
		t.Errorf("only %d metrics are asked for: %v", len(asked), slices.Sorted(maps.Keys(asked)))
	}
	for name, where := range asked {
		base := name
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			base = strings.TrimSuffix(base, suffix)
		}
		if !known[name] && !known[base] {
			t.Errorf("%s asks for %s, which nothing shows", where, name)
		}
	}
}

// TestOperatorMetricsAreDocumented compares docs/metrics.md with the source of the operator. Those of the services are compared
// where all of them can be started.
func TestOperatorMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "\n## Of the operator\n")
	documented := map[string]bool{}
	for _, match := range regexp.MustCompile("(?m)^\\| `(hpa_[a-z_]+)` \\|").FindAllStringSubmatch(table, -1) {
		documented[match[1]] = true
	}
	if diff := cmp.Diff(documented, operatorMetrics(t)); diff != "" {
		t.Errorf("-documented +in the source:\n%s", diff)
	}
}

// TestAlerts checks that every alert has a severity, a description and a runbook.
func TestAlerts(t *testing.T) {
	t.Parallel()
	runbooks, err := os.ReadFile(filepath.Join(files, "alerts", "RUNBOOKS.md"))
	if err != nil {
		t.Fatal(err)
	}
	rules := alerts(t)
	for _, rule := range rules {
		if severity := rule.Labels["severity"]; severity != "critical" && severity != "warning" {
			t.Errorf("%s: severity %q", rule.Alert, severity)
		}
		if rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" {
			t.Errorf("%s: has no summary or description", rule.Alert)
		}
		if !strings.HasSuffix(rule.Annotations["runbook_url"], "/files/alerts/RUNBOOKS.md#"+strings.ToLower(rule.Alert)) {
			t.Errorf("%s: runbook_url is %q", rule.Alert, rule.Annotations["runbook_url"])
		}
		if !strings.Contains(string(runbooks), "\n## "+rule.Alert+"\n") {
			t.Errorf("%s: RUNBOOKS.md does not say what to do", rule.Alert)
		}
	}
	if headings := strings.Count(string(runbooks), "\n## "); headings != len(rules) {
		t.Errorf("RUNBOOKS.md has %d headings for %d alerts", headings, len(rules))
	}
}

// serviceMetrics returns the metrics of the services, and those that every process exports.
func serviceMetrics(t *testing.T) map[string]bool {
	t.Helper()
	recorder := &recorder{Registerer: prometheus.NewRegistry(), names: map[string]bool{}}
	deps := platformtest.Deps(t)
	deps.Registerer = recorder
	build(t, deps, auth.New)
	build(t, deps, catalog.New)
	build(t, deps, ingest.New)
	build(t, deps, analytics.New)
	build(t, deps, aggregator.New)
	families, err := telemetry.NewRegistry("test").Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		recorder.names[family.GetName()] = true
	}
	return recorder.names
}

// build creates a service, which registers its metrics and makes no connection.
func build[C any](t *testing.T, deps service.Deps, build func(context.Context, C, service.Deps) (service.Service, error)) {
	t.Helper()
	var cfg C
	environ := []string{"DATABASE_URL=postgres://localhost/none", "REDIS_URL=redis://localhost"}
	if err := config.Load(t.Context(), &cfg, config.Environ(environ, "")); err != nil {
		t.Fatal(err)
	}
	if _, err := build(t.Context(), cfg, deps); err != nil {
		t.Fatal(err)
	}
}

// recorder records the names of registered metrics. It registers nothing, because the services share names.
type recorder struct {
	prometheus.Registerer
	names map[string]bool
}

var described = regexp.MustCompile(`fqName: "([^"]+)"`)

// MustRegister implements prometheus.Registerer.
func (r *recorder) MustRegister(collectors ...prometheus.Collector) {
	for _, c := range collectors {
		descs := make(chan *prometheus.Desc, 64)
		c.Describe(descs)
		close(descs)
		for desc := range descs {
			if match := described.FindStringSubmatch(desc.String()); match != nil {
				r.names[match[1]] = true
			}
		}
	}
}

var metricLiteral = regexp.MustCompile(`"(hpa_[a-z0-9_]+)"`)

// operatorMetrics returns the names in the source of the operator, which is another module with the libraries of Kubernetes.
func operatorMetrics(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	err := filepath.WalkDir(operator, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, match := range metricLiteral.FindAllStringSubmatch(string(source), -1) {
			names[match[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// rule is an alerting rule.
type rule struct {
	Alert, Expr         string
	Labels, Annotations map[string]string
}

func alerts(t *testing.T) []rule {
	t.Helper()
	var all []rule
	for _, path := range glob(t, filepath.Join(files, "alerts", "*.yaml")) {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var file struct{ Groups []struct{ Rules []rule } }
		if err := yaml.Unmarshal(content, &file); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		for _, group := range file.Groups {
			all = append(all, group.Rules...)
		}
	}
	return all
}

// dashboard holds the fields of a dashboard that the tests use.
type dashboard struct {
	UID    string
	Panels []struct {
		ID      int
		Type    string
		Title   string
		GridPos struct{ X, Y, W, H int }
		Targets []struct{ Expr string }
	}
	Templating struct {
		List []struct {
			Name  string
			Query any
		}
	}
}

func (d dashboard) expressions() []string {
	var all []string
	for _, panel := range d.Panels {
		for _, target := range panel.Targets {
			all = append(all, target.Expr)
		}
	}
	for _, variable := range d.Templating.List {
		if query, ok := variable.Query.(map[string]any); ok {
			text, _ := query["query"].(string)
			all = append(all, text)
		}
	}
	return all
}

func dashboards(t *testing.T) map[string]dashboard {
	t.Helper()
	all := map[string]dashboard{}
	for _, path := range glob(t, filepath.Join(files, "dashboards", "*.json")) {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var board dashboard
		if err := json.Unmarshal(content, &board); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		all[path] = board
	}
	return all
}

// TestDashboards checks that dashboards have distinct ids and that no panels overlap.
func TestDashboards(t *testing.T) {
	t.Parallel()
	for path, board := range dashboards(t) {
		if board.UID+".json" != filepath.Base(path) {
			t.Errorf("%s: uid is %q", path, board.UID)
		}
		ids, cells := map[int]bool{}, map[[2]int]string{}
		for _, panel := range board.Panels {
			if ids[panel.ID] {
				t.Errorf("%s: two panels have the id %d", path, panel.ID)
			}
			ids[panel.ID] = true
			if panel.Type != "row" && len(panel.Targets) == 0 {
				t.Errorf("%s: panel %q shows nothing", path, panel.Title)
			}
			at := panel.GridPos
			if at.X+at.W > 24 {
				t.Errorf("%s: panel %q is wider than the page", path, panel.Title)
			}
			for x := at.X; x < at.X+at.W; x++ {
				for y := at.Y; y < at.Y+at.H; y++ {
					if other, taken := cells[[2]int{x, y}]; taken && other != panel.Title {
						t.Errorf("%s: panel %q lies on %q", path, panel.Title, other)
					}
					cells[[2]int{x, y}] = panel.Title
				}
			}
		}
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err == nil && len(paths) == 0 {
		err = errors.New("no files match " + pattern)
	}
	if err != nil {
		t.Fatal(err)
	}
	return paths
}
