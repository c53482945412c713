package auth_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/hp-analytics/hp-analytics/internal/platform/config"
	"github.com/hp-analytics/hp-analytics/services/auth"
)

func TestConfig(t *testing.T) {
	t.Parallel()
	needed := []string{"DATABASE_URL=postgres://localhost/x", "REDIS_URL=redis://localhost:6379/0"}
	var cfg auth.Config
	if err := config.Load(t.Context(), &cfg, config.Environ(needed, "")); err != nil {
		t.Errorf("a variable without a default is reported although it is set: %v", err)
	}
	if cfg.Registration != "invite" {
		t.Errorf("registration is %s unless the configuration says otherwise", cfg.Registration)
	}

	bad := slices.Concat(needed, []string{
		"ACCESS_TOKEN_TTL=25h", "REFRESH_TOKEN_TTL=1s", "SESSION_MAX_AGE=500ms", "SIGNING_KEY_MAX_AGE=1m", "REFRESH_TOKEN_GRACE=6m",
		"LOGIN_LIMIT_ACCOUNT=0", "LOGIN_LIMIT_ACCOUNT_TOTAL=0", "LOGIN_LIMIT_ADDRESS=-1", "REGISTER_LIMIT_ADDRESS=0", "REGISTER_LIMIT_REFUSED=0", "REGISTRATION=everybody", "REFRESH_LIMIT_ADDRESS=0", "SHARE_LIMIT_ADDRESS=0", "SHUTDOWN_DRAIN_DELAY=-1s", "AUDIT_RETENTION_DAYS=29",
	})
	err := config.Load(t.Context(), &cfg, config.Environ(bad, ""))
	for _, pair := range bad[2:] {
		name, _, _ := strings.Cut(pair, "=")
		if err == nil || !strings.Contains(err.Error(), name+":") {
			t.Errorf("no problem is reported for %s: %v", name, err)
		}
	}
}
