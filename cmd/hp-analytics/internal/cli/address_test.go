package cli

import (
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
)

// TestAddressesAreChecked checks that every address and URL is accepted or refused by name before anything starts, without
// its password.
func TestAddressesAreChecked(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		environ []string
		want    string // the refusal; "" when it is valid
	}{
		"defaults":                {nil, ""},
		"all interfaces":          {[]string{"HOST=0.0.0.0"}, ""},
		"another loopback":        {[]string{"HOST=127.0.0.2"}, ""},
		"IPv6":                    {[]string{"HOST=::1"}, ""},
		"IPv6 in brackets":        {[]string{"HOST=[::1]"}, "HOST: "},
		"a port":                  {[]string{"HOST=127.0.0.1:80"}, "HOST: "},
		"HTTP_ADDR":               {[]string{"HTTP_ADDR=[::1]:80"}, ""},
		"HTTP_ADDR, no brackets":  {[]string{"HTTP_ADDR=::1:80"}, "HTTP_ADDR: "},
		"HTTP_ADDR, no port":      {[]string{"HTTP_ADDR=127.0.0.1"}, "HTTP_ADDR: "},
		"HTTP_ADDR, large port":   {[]string{"HTTP_ADDR=:70000"}, "HTTP_ADDR: "},
		"hash in Postgres":        {[]string{"DATABASE_URL=postgres://u:hush#x@h/db"}, "DATABASE_URL: has an @"},
		"hash, escaped":           {[]string{"DATABASE_URL=postgres://u:hush%23x@h/db"}, ""},
		"percent":                 {[]string{"DATABASE_URL=postgres://u:hush%@h/db"}, "DATABASE_URL: is no valid"},
		"no Postgres":             {[]string{"DATABASE_URL=mysql://u:hush@h/db"}, "DATABASE_URL: must begin"},
		"several hosts":           {[]string{"DATABASE_URL=postgres://u:hush@a:1,[::1]:2/db?target_session_attrs=read-write"}, ""},
		"Postgres, no brackets":   {[]string{"DATABASE_URL=postgres://u:hush@::1:5432/db"}, "DATABASE_URL: has an IPv6"},
		"Redis on IPv6":           {[]string{"REDIS_URL=redis://:hush@[::1]:6379/0"}, ""},
		"Redis, no brackets":      {[]string{"REDIS_URL=redis://:hush@::1:6379/0"}, "REDIS_URL: has an IPv6"},
		"hash in Redis":           {[]string{"REDIS_URL=redis://:12#hush@h/0"}, "REDIS_URL: has an @"},
		"Sentinel":                {[]string{"REDIS_URL=redis-sentinel://:hush@h:26379/m"}, "REDIS_URL: must not name a Sentinel"},
		"Sentinel by a parameter": {[]string{"REDIS_URL=redis://:hush@h:26379?master_name=m"}, "REDIS_URL: must not name a Sentinel"},
		"Redis cluster":           {[]string{"REDIS_URL=redis://h:1,h:2/0"}, "REDIS_URL: names several"},
		"JWKS, no brackets":       {[]string{"JWKS_URL=http://::1:8080/auth/.well-known/jwks.json"}, "JWKS_URL: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			code := Run(t.Context(), []string{"up", "--check-config"}, test.environ, &out, &out)
			if want := map[bool]int{true: exitOK, false: exitUsage}[test.want == ""]; code != want || !strings.Contains(out.String(), test.want) {
				t.Errorf("exit code %d, want %d and %q: %s", code, want, test.want, &out)
			}
			if strings.Contains(out.String(), "hush") {
				t.Errorf("the password is shown: %s", &out)
			}
		})
	}
	for _, args := range [][]string{{"migrate", "up"}, {"migrate", "status"}, {"reconcile"}} {
		var out strings.Builder
		code := Run(t.Context(), args, []string{"DATABASE_URL=postgres://u:hush#x@h/db"}, &out, &out)
		if code != exitUsage || !strings.Contains(out.String(), "DATABASE_URL: has an @") || strings.Contains(out.String(), "hush") {
			t.Errorf("%v: exit code %d: %s", args, code, &out)
		}
	}
}

// TestUpOnAnyAddress starts the platform on other addresses than the default one: it must reach itself there.
func TestUpOnAnyAddress(t *testing.T) {
	t.Parallel()
	database, cache := dbtest.New(t), redistest.New(t)
	for _, host := range []string{"::1", "127.0.0.2", "0.0.0.0"} {
		if listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", net.JoinHostPort(host, "0")); err != nil {
			t.Errorf("this machine has no %s: %v", host, err)
		} else {
			_ = listener.Close()
		}
		platform, url := up(t, "HOST="+host, "DATA_DIR="+dataDir(t), "PORT=0", "DATABASE_URL="+database.URL(), "REDIS_URL="+string(cache.URL),
			"ADMIN_EMAIL=root@example.com", "ADMIN_PASSWORD=correct horse battery")
		want := map[string]string{"::1": "http://[::1]:", "127.0.0.2": "http://127.0.0.2:", "0.0.0.0": "http://localhost:"}[host]
		if !strings.HasPrefix(url, want) {
			t.Errorf("HOST=%s: the URL is %s", host, url)
		}
		port := url[strings.LastIndex(url, ":")+1:]
		if code, out := run(t, []string{"healthcheck"}, "HOST="+host, "PORT="+port); code != exitOK {
			t.Errorf("healthcheck on %s: exit code %d: %s", host, code, out)
		}
		if code := platform.stop(syscall.SIGTERM); code != exitOK {
			t.Errorf("HOST=%s: exit code %d:\n%s", host, code, platform.output)
		}
	}
}
