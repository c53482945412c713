package catalog_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/hp-analytics/hp-analytics/internal/platform/config"
	"github.com/hp-analytics/hp-analytics/services/catalog"
)

func TestConfig(t *testing.T) {
	t.Parallel()
	needed := []string{"DATABASE_URL=postgres://localhost/x", "REDIS_URL=redis://localhost:6379/0"}
	var cfg catalog.Config
	if err := config.Load(t.Context(), &cfg, config.Environ(needed, "")); err != nil {
		t.Errorf("what has no default is given: %v", err)
	}

	bad := slices.Concat(needed, []string{"CATALOG_CACHE_TTL=10ms", "CATALOG_CACHE_BYTES=5", "CATALOG_MAX_INFLIGHT_BYTES=16777216", "JWKS_URL=nowhere", "SHUTDOWN_DRAIN_DELAY=-1s", "HTTP_ADDR=8080"})
	err := config.Load(t.Context(), &cfg, config.Environ(bad, ""))
	for _, name := range []string{"CATALOG_CACHE_TTL", "CATALOG_CACHE_BYTES", "CATALOG_MAX_INFLIGHT_BYTES", "JWKS_URL", "SHUTDOWN_DRAIN_DELAY", "HTTP_ADDR"} {
		if err == nil || !strings.Contains(err.Error(), name+":") {
			t.Errorf("the problem of %s is not listed: %v", name, err)
		}
	}
}
