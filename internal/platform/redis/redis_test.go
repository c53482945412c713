package redis_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/redis"
)

func TestOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var outage redis.Outage
		if outage.Ongoing() {
			t.Error("the zero value reports an outage")
		}
		outage.Begin()
		if !outage.Ongoing() {
			t.Error("no outage after a failure")
		}
		<-time.After(time.Second)
		if outage.Ongoing() {
			t.Error("Redis is not tried again after a second")
		}
	})
}

func TestBadURLs(t *testing.T) {
	t.Parallel()
	bad := redis.Config{URL: "redis://user:hunter2@host:port", PoolSize: 0, Timeout: -1}
	err := bad.Validate()
	for _, name := range []string{"REDIS_URL", "REDIS_POOL_SIZE", "REDIS_TIMEOUT"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("the error does not mention %s: %v", name, err)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error contains the password: %v", err)
	}
	if _, err := redis.Open(bad, "test"); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("open: %v", err)
	}
}

// Redis itself refuses these names: every command on such a client would fail.
func TestOpenRefusesBadNames(t *testing.T) {
	t.Parallel()
	cfg := redis.Config{URL: "redis://127.0.0.1:1/0", PoolSize: 1, Timeout: time.Second}
	for _, name := range []string{"hp-analytics rebuild", "two\nlines", "café", "\x7f"} {
		if client, err := redis.Open(cfg, name); err == nil {
			_ = client.Close()
			t.Errorf("a client with the name %q is opened", name)
		}
	}
	for _, name := range []string{"", "rebuild", "hp-analytics/rebuild!~"} {
		client, err := redis.Open(cfg, name)
		if err != nil {
			t.Errorf("name %q: %v", name, err)
			continue
		}
		_ = client.Close()
	}
}
