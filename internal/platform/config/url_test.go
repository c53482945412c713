package config_test

import (
	"strings"
	"testing"

	"github.com/hp-analytics/hp-analytics/internal/platform/config"
)

func TestAmbiguousURLs(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"postgres://u:p@h/db":                      "",
		"postgres://u:p%23%40%2F@h:1,h2:2/db?a=b":  "",
		"postgres://u:p@[::1]:5432/db":             "",
		"postgres://u:p@[::1]:1,[fe80::1%25lo]/db": "",
		"postgres:///db?host=/run/postgresql":      "",
		"redis://h":                                "",
		"u:hush@h/db":                              "scheme",
		"postgres://u:hush#x@h/db":                 "# as %23",
		"postgres://u:12#hush@h/db":                "# as %23",
		"postgres://u:12/hush@h/db":                "/ as %2F",
		"redis://:12?hush@h:6379/0":                "? as %3F",
		"postgres://u:hush@x@h/db":                 "as %40",
		"postgres://u:p@h/db#hush":                 "%23",
		"postgres://u:p@::1:5432/db":               "brackets",
		"redis://::1:6379":                         "brackets",
	} {
		err := config.URL(url).Ambiguous()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
		for what, text := range map[string]string{"the error": errorText(err), "String": config.URL(url).String()} {
			if strings.Contains(text, "hush") {
				t.Errorf("%s of %s shows the password: %s", what, url, text)
			}
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestCheckHost(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"": true, "127.0.0.2": true, "::1": true, "::": true, "fe80::1%eth0": true, "localhost": true, "api.example.com": true,
		"[::1]": false, "127.0.0.1:80": false, "http://h": false, "a b": false, "::1::": false,
	} {
		if err := config.CheckHost(host); (err == nil) != want {
			t.Errorf("%q: %v", host, err)
		}
	}
}
