package cli

import (
	"strings"
	"testing"
)

// TestUpConfig checks that `up` reports every problem of its configuration at once, including those of embedded structs.
func TestUpConfig(t *testing.T) {
	t.Parallel()
	var cfg upConfig
	if err := (environment{}).load(t.Context(), &cfg); err != nil || cfg.Port != 8080 || cfg.DataDir != ".data" || cfg.Host != "127.0.0.1" {
		t.Errorf("defaults: %+v, %v", cfg, err)
	}
	err := environment{environ: []string{"PORT=70000", "ADMIN_EMAIL=ada@example.com", "DATABASE_URL=ht tp://"}}.load(t.Context(), &cfg)
	if code := exitCode(err, &strings.Builder{}); code != exitUsage {
		t.Errorf("exit code %d, want %d", code, exitUsage)
	}
	for _, name := range []string{"PORT:", "ADMIN_EMAIL, ADMIN_PASSWORD:"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not listed: %v", name, err)
		}
	}
}
