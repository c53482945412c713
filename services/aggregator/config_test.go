package aggregator

import (
	"strings"
	"testing"

	"github.com/hp-analytics/hp-analytics/internal/platform/config"
)

// TestSettingsOfDigests loads settings as they are set in the environment.
func TestSettingsOfDigests(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		settings []string
		problem  string // a part of the error; empty for none
	}{
		{nil, ""},
		{[]string{"SMTP_HOST=", "SMTP_FROM=", "WEBHOOK_ALLOW_NETWORKS="}, ""}, // as compose sets them
		{[]string{"SMTP_HOST=mail.example.com", "SMTP_FROM=HP Analytics <a@example.com>", "WEBHOOK_ALLOW_NETWORKS=10.1.0.0/16,fd00::/8"}, ""},
		{[]string{"SMTP_HOST=mail.example.com"}, "SMTP_FROM"},
		{[]string{"SMTP_TLS=maybe"}, "SMTP_TLS"},
		{[]string{"SMTP_PORT=0"}, "SMTP_PORT"},
		{[]string{"WEBHOOK_ALLOW_NETWORKS=10.1.0.0"}, "WEBHOOK_ALLOW_NETWORKS"},
		{[]string{"DATABASE_MAX_CONNS=8"}, "DATABASE_MAX_CONNS"},
	} {
		var cfg Config
		environ := append([]string{"DATABASE_URL=postgres://localhost/x", "REDIS_URL=redis://localhost"}, test.settings...)
		err := config.Load(t.Context(), &cfg, config.Environ(environ, ""))
		if test.problem == "" && err != nil || test.problem != "" && (err == nil || !strings.Contains(err.Error(), test.problem)) {
			t.Errorf("%q: %v, want a problem with %q", test.settings, err, test.problem)
		}
	}
}
