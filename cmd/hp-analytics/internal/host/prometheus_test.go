package host_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/hp-analytics/hp-analytics/internal/localruntime/localproc"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/reconcile"
)

const (
	shippedConfig = "../../../../infra/compose/prometheus/prometheus.yml"
	chartFiles    = "../../../../charts/hp-analytics/files"
)

// TestPrometheus lets a Prometheus with the shipped configuration scrape a platform in use, and asks every query of every dashboard
// and the expression of every alert. A panel that stays empty while everything happens that it shows is a defect.
func TestPrometheus(t *testing.T) {
	t.Parallel()
	p := startPlatform(t)
	s := newShop(p)
	_, id := s.create("TEA")
	prom := startPrometheus(t, p)
	if _, err := reconcile.Run(t.Context(), p.database.Pool("hp_aggregator"), reconcile.Options{Details: t.Output()}); err != nil {
		t.Fatal(err)
	}
	open := dashboardQueries(t)
	if len(open) < 50 {
		t.Fatalf("only %d queries in the dashboards", len(open))
	}
	platformtest.Eventually(t, 2*time.Minute, "every panel shows something", func() bool {
		s.everything(id)
		maps.DeleteFunc(open, func(query, _ string) bool { return prom.results(query) > 0 })
		if len(open) > 0 && time.Since(prom.started) > 110*time.Second {
			t.Fatalf("these panels stay empty: %q", slices.Collect(maps.Values(open)))
		}
		return len(open) == 0
	})

	if services := prom.get("/api/v1/label/service/values", nil); !strings.Contains(services, `["aggregator","analytics","auth","catalog","gateway","ingest"]`) {
		t.Errorf("the services are %s", services)
	}
	var rules struct {
		Data struct {
			Groups []struct {
				Rules []struct{ Name, Query, Health, LastError string }
			}
		}
	}
	platformtest.Eventually(t, 30*time.Second, "the alerts are evaluated", func() bool {
		text := prom.get("/api/v1/rules", nil)
		if err := json.Unmarshal([]byte(text), &rules); err != nil {
			t.Fatal(err)
		}
		return len(rules.Data.Groups) > 0 && !strings.Contains(text, `"health":"unknown"`)
	})
	alerts := 0
	for _, group := range rules.Data.Groups {
		for _, rule := range group.Rules {
			alerts++
			if rule.Health != "ok" {
				t.Errorf("%s: %s %s", rule.Name, rule.Health, rule.LastError)
			}
			prom.results(rule.Query) // fails the test unless Prometheus can answer it; most alerts are silent here
		}
	}
	if alerts < 10 {
		t.Errorf("%d alerts are loaded", alerts)
	}
}

// everything does once what the panels show: reads from each tier, writes, refusals, waits.
func (s shop) everything(product string) {
	for range 2 {
		s.send(http.MethodGet, "/products/"+product, s.admin, "")
		s.send(http.MethodGet, "/analytics/overview", s.admin, "")
	}
	s.do(http.MethodPost, "/auth/share-links/open", "", "application/json", `{"secret":"unknown"}`)
	s.view("TEA")
	s.view("NO SUCH PRODUCT")
	order := s.send(http.MethodPost, "/purchases", s.key, `{"sku":"TEA","quantity":2,"user_id":"u"}`)
	s.send(http.MethodPost, fmt.Sprint("/orders/", order["id"], "/refunds"), s.key, fmt.Sprintf(`{"id":"refund of %s"}`, order["id"]))
	s.send(http.MethodPost, "/events?wait=aggregated", s.key, `{"type":"view","sku":"TEA","user_id":"u"}`)
}

// silent are panels that are empty while nothing is wrong, and those of the operator, which is no part of this platform.
var silent = []string{`status=~"5.."}[$__rate_interval])) / sum by (service)`, "hpa_queue_", "hpa_certificate_"}

// dashboardQueries returns the queries of all dashboards, by what is asked for, with their panels.
func dashboardQueries(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(chartFiles, "dashboards", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	queries := map[string]string{}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var board struct {
			Panels []struct {
				Title   string
				Targets []struct{ Expr string }
			}
		}
		if err := json.Unmarshal(content, &board); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		for _, panel := range board.Panels {
			for _, target := range panel.Targets {
				if target.Expr == "" { // of another data source
					continue
				}
				if slices.ContainsFunc(silent, func(text string) bool { return strings.Contains(target.Expr, text) }) {
					continue
				}
				asked := strings.NewReplacer("$namespace", ".*", "$service", ".*", "$__rate_interval", "10s").Replace(target.Expr)
				queries[asked] = panel.Title + ": " + asked
			}
		}
	}
	return queries
}

// scraper is a running Prometheus.
type scraper struct {
	t       *testing.T
	url     string
	started time.Time
}

// startPrometheus starts the Prometheus of Debian's package with the shipped configuration, in which only the addresses, the paths and
// the times differ.
func startPrometheus(t *testing.T, p *platform) *scraper {
	t.Helper()
	program, err := exec.LookPath("prometheus")
	if err != nil {
		t.Fatalf("%v: make test-deps installs it", err)
	}
	port, err := localproc.FreePort(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dir, address := t.TempDir(), fmt.Sprintf("127.0.0.1:%d", port)
	cmd := exec.Command(program, "--config.file="+prometheusConfig(t, dir, p.url), "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address, "--enable-feature=exemplar-storage", "--log.level=warn")
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		err := errors.Join(cmd.Process.Signal(syscall.SIGTERM), cmd.Wait())
		if err != nil || t.Failed() {
			t.Errorf("Prometheus: %v\n%s", err, &log)
		}
	})
	prom := &scraper{t: t, url: "http://" + address, started: time.Now()}
	platformtest.Eventually(t, time.Minute, "Prometheus is ready", func() bool {
		response, err := http.Get(prom.url + "/-/ready")
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	return prom
}

// prometheusConfig writes the configuration and returns its path.
func prometheusConfig(t *testing.T, dir, platform string) string {
	t.Helper()
	content, err := os.ReadFile(shippedConfig)
	if err != nil {
		t.Fatal(err)
	}
	var cfg map[string]any
	if err := yaml.Unmarshal(content, &cfg); err != nil {
		t.Fatal(err)
	}
	rules, err := filepath.Abs(filepath.Join(chartFiles, "alerts", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	cfg["global"] = map[string]any{"scrape_interval": "1s", "evaluation_interval": "1s"}
	cfg["rule_files"] = []string{rules}
	for _, job := range cfg["scrape_configs"].([]any) {
		scrape := job.(map[string]any)
		delete(scrape, "dns_sd_configs")
		scrape["static_configs"] = []any{map[string]any{"targets": []string{strings.TrimPrefix(platform, "http://")}}}
	}
	written, err := yaml.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(path, written, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// get asks the API of Prometheus.
func (p *scraper) get(path string, query url.Values) string {
	p.t.Helper()
	response, err := http.Get(p.url + path + "?" + query.Encode())
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		p.t.Fatalf("%s %v: %s %v: %s", path, query, response.Status, err, content)
	}
	return string(content)
}

// results returns how many series a query has now.
func (p *scraper) results(query string) int {
	p.t.Helper()
	var answer struct {
		Data struct{ Result []json.RawMessage }
	}
	if err := json.Unmarshal([]byte(p.get("/api/v1/query", url.Values{"query": {query}})), &answer); err != nil {
		p.t.Fatal(err)
	}
	return len(answer.Data.Result)
}
