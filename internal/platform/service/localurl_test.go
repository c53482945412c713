package service_test

import (
	"testing"

	"github.com/hp-analytics/hp-analytics/internal/platform/service"
)

func TestLocalURL(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{
		":8080":               "http://127.0.0.1:8080",
		"0.0.0.0:80":          "http://127.0.0.1:80",
		"[::]:80":             "http://127.0.0.1:80",
		"[::1]:80":            "http://[::1]:80",
		"127.0.0.2:80":        "http://127.0.0.2:80",
		"localhost:80":        "http://localhost:80",
		"[fe80::1%eth0]:8080": "http://[fe80::1%25eth0]:8080",
	} {
		if got := service.LocalURL(addr); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
}
