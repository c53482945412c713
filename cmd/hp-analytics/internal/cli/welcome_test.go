package cli

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The console warns if everybody can register whom the network lets reach the port.
func TestWelcomeWarnsOfOpenRegistration(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		ip, registration string
		warns            bool
	}{
		"all interfaces":      {"0.0.0.0", "open", true},
		"all interfaces, v6":  {"::", "open", true},
		"one interface":       {"192.0.2.1", "open", true},
		"this machine":        {"127.0.0.1", "open", false},
		"with an invitation":  {"0.0.0.0", "invite", false},
		"this machine, v6":    {"::1", "open", false},
		"nobody may register": {"0.0.0.0", "closed", false},
	} {
		var out strings.Builder
		env := environment{environ: []string{"REGISTRATION=" + test.registration}, stdout: &out}
		env.welcome("http://localhost:8080", upConfig{DataConfig: DataConfig{DataDir: defaultDataDir}}, "", &net.TCPAddr{IP: net.ParseIP(test.ip), Port: 8080})
		if warns := strings.Contains(out.String(), "can register. REGISTRATION=invite"); warns != test.warns {
			t.Errorf("%s: warns is %t:\n%s", name, warns, out.String())
		}
		if !strings.Contains(out.String(), "make demo URL=http://localhost:8080      Stop") {
			t.Errorf("%s: no demo in:\n%s", name, out.String())
		}
	}
}

// A demo whose stored password is not that of the account any more says where the password came from and what to do.
func TestDemoWithAStalePassword(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"title":"Unauthorized","status":401,"code":"invalid_credentials","detail":"Wrong."}`))
	}))
	defer server.Close()
	dir := t.TempDir()
	if err := (login{Email: "ada@example.com", Password: "old"}).write(dir); err != nil {
		t.Fatal(err)
	}
	commander{t, []string{"DATA_DIR=" + dir}}.run(exitFailure,
		"log in as ada@example.com with the password of "+loginFile(dir)+": .*invalid_credentials.* set ADMIN_EMAIL and ADMIN_PASSWORD", "demo", "--url", server.URL)
}
