package ingest_test

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/hp-analytics/hp-analytics/internal/platform/config"
	"github.com/hp-analytics/hp-analytics/services/ingest"
)

// load reads a configuration from what is always needed and more.
func load(t *testing.T, more ...string) (ingest.Config, error) {
	t.Helper()
	environ := append([]string{"DATABASE_URL=postgres://localhost/hpa", "REDIS_URL=redis://localhost/0"}, more...)
	var cfg ingest.Config
	err := config.Load(t.Context(), &cfg, config.Environ(environ, ""))
	return cfg, err
}

func TestConfigDefaults(t *testing.T) {
	t.Parallel()
	cfg, err := load(t)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.RetentionDays != 90 || cfg.RateLimit != 600_000 || cfg.RateWindow.Minutes() != 1 || cfg.MaxInflightBytes != 64<<20 {
		t.Errorf("got %+v", cfg)
	}
}

func TestConfigReportsEveryProblem(t *testing.T) {
	t.Parallel()
	_, err := load(t, "RETENTION_DAYS=0", "INGEST_RATE_LIMIT=1279", "INGEST_RATE_WINDOW=1ms", "INGEST_MAX_INFLIGHT_BYTES=1000000", "INGEST_MAX_WAITING_ROWS=999", "INGEST_WRITERS=5", "INGEST_WAIT_TIMEOUT=15s", "INGEST_MAX_WAITS=-1",
		"INGEST_MAX_CALLER_BYTES=1000", "INGEST_MAX_ADDRESS_BYTES=1000", "INGEST_BODY_STALL=0s", "INGEST_MIN_BODY_RATE=0", "INGEST_LOCK_TIMEOUT=15s",
		"INGEST_HISTORY_LIMIT=-1", "INGEST_EXPORTS=11", "INGEST_EXPORT_TIMEOUT=1ms", "INGEST_EXPORT_STALL=10s", "INGEST_MAX_EVENT_AGE=1m")
	for _, name := range []string{"RETENTION_DAYS", "INGEST_RATE_LIMIT", "INGEST_RATE_WINDOW", "INGEST_MAX_INFLIGHT_BYTES", "INGEST_MAX_WAITING_ROWS", "INGEST_WRITERS", "INGEST_WAIT_TIMEOUT", "INGEST_MAX_WAITS",
		"INGEST_MAX_CALLER_BYTES", "INGEST_MAX_ADDRESS_BYTES", "INGEST_BODY_STALL", "INGEST_MIN_BODY_RATE", "INGEST_LOCK_TIMEOUT",
		"INGEST_HISTORY_LIMIT", "INGEST_EXPORTS", "INGEST_EXPORT_TIMEOUT", "INGEST_EXPORT_STALL", "INGEST_MAX_EVENT_AGE"} {
		if err == nil || !strings.Contains(err.Error(), name+": ") {
			t.Errorf("%s is not named in: %v", name, err)
		}
	}
	for _, fine := range []string{"INGEST_RATE_LIMIT=0", "INGEST_RATE_LIMIT=1280", "RETENTION_DAYS=1", "INGEST_MAX_EVENT_AGE=2160h"} {
		if _, err := load(t, fine); err != nil {
			t.Errorf("%s: %v", fine, err)
		}
	}
	if _, err := load(t, "RETENTION_DAYS=30", "INGEST_MAX_EVENT_AGE=721h"); err == nil || !strings.Contains(err.Error(), "INGEST_MAX_EVENT_AGE: ") {
		t.Errorf("events older than raw rows are kept: %v", err)
	}
}

// TestTheChartNamesAllSettings of ingest, with their defaults.
func TestTheChartNamesAllSettings(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../charts/hp-analytics/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for field := range reflect.TypeFor[ingest.Config]().Fields() {
		name, value, _ := strings.Cut(field.Tag.Get("env"), ", default=")
		if strings.HasPrefix(name, "INGEST_") && !strings.Contains(string(readme), "| `"+name+"` | "+value) {
			t.Errorf("the chart's README has no row of %s with the default %s", name, value)
		}
	}
}
