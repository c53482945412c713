package operator

import (
	"slices"
	"strings"
	"testing"

	"github.com/hp-analytics/hp-analytics/internal/platform/config"
)

// required are the settings without a default.
var required = []string{
	"REDIS_URL=redis://localhost:6379/0", "POD_NAMESPACE=shop", "TLS_SERVICE_NAME=operator", "TLS_SECRET_NAME=tls", "TLS_DIR=/tls",
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		settings []string
		want     string // expected in the error; empty if there is none
	}{
		{"defaults", nil, ""},
		{"files need no Secret", []string{"TLS_MODE=files", "TLS_SECRET_NAME="}, ""},
		{"self-signed needs a Secret", []string{"TLS_SECRET_NAME="}, "TLS_SECRET_NAME"},
		{"unknown mode", []string{"TLS_MODE=letsencrypt"}, "TLS_MODE"},
		{"unknown CA bundle setting", []string{"APISERVICE_CA_BUNDLE=no"}, "APISERVICE_CA_BUNDLE"},
		{"maximum age below two polls", []string{"SNAPSHOT_MAX_AGE=9s"}, "SNAPSHOT_MAX_AGE"},
		{"poll interval of zero", []string{"QUEUE_POLL_INTERVAL=0s"}, "QUEUE_POLL_INTERVAL"},
		{"address without a port", []string{"EXTERNAL_METRICS_ADDR=localhost"}, "EXTERNAL_METRICS_ADDR"},
		{"all namespaces and one", []string{"WATCH_NAMESPACES=*,shop"}, "WATCH_NAMESPACES"},
		{"invalid namespace", []string{"WATCH_NAMESPACES=Shop"}, "WATCH_NAMESPACES"},
		{"invalid Lease name", []string{"LEADER_ELECTION_ID=A"}, "LEADER_ELECTION_ID"},
		{"no Service", []string{"TLS_SERVICE_NAME="}, "TLS_SERVICE_NAME"},
		{"no directory", []string{"TLS_DIR="}, "TLS_DIR"},
		{"no own namespace", []string{"POD_NAMESPACE="}, "POD_NAMESPACE"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var cfg Config
			err := config.Load(t.Context(), &cfg, config.Environ(slices.Concat(required, test.settings), ""))
			switch {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("the error is %v, want one about %s", err, test.want)
			}
		})
	}
}

func TestWatchedNamespaces(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string][]string{
		"": {"shop"}, "*": nil, "a,b": {"a", "b"}, "shop": {"shop"},
	} {
		var cfg Config
		if err := config.Load(t.Context(), &cfg, config.Environ(append(slices.Clone(required), "WATCH_NAMESPACES="+setting), "")); err != nil {
			t.Fatal(err)
		}
		if got := cfg.Cluster.watched(); !slices.Equal(got, want) || (got == nil) != (want == nil) {
			t.Errorf("%q watches %v, want %v", setting, got, want)
		}
	}
}
