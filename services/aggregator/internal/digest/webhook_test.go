package digest

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// TestSign compares with the example of the specification of Standard Webhooks.
func TestSign(t *testing.T) {
	t.Parallel()
	got, err := sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want || err != nil {
		t.Errorf("%s, want %s: %v", got, want, err)
	}
}

func TestPublicAddresses(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"8.8.8.8": true, "93.184.216.34": true, "2606:4700:4700::1111": true,
		"127.0.0.1": false, "127.9.9.9": false, "10.0.0.1": false, "172.16.0.1": false, "192.168.1.1": false, "169.254.169.254": false, "100.64.0.1": false,
		"0.0.0.0": false, "0.1.2.3": false, "224.0.0.1": false, "255.255.255.255": false, "198.18.0.1": false, "192.0.2.1": false, "240.0.0.1": false,
		"::1": false, "::": false, "fe80::1": false, "fc00::1": false, "fd00:ec2::254": false, "ff02::1": false, "::ffff:10.0.0.1": false, "64:ff9b::a00:1": false,
		"2002:a00:1::": false, "2001:db8::1": false, "::a00:1": false, "fec0::1": false,
	} {
		if got := isPublic(netip.MustParseAddr(address).Unmap()); got != want {
			t.Errorf("%s is public: %t, want %t", address, got, want)
		}
	}
}

// TestWebhookAddresses checks that requests reach networks that are allowed only, by any name, and that redirects are not followed.
func TestWebhookAddresses(t *testing.T) {
	t.Parallel()
	var reached []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached = append(reached, r.URL.Path)
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		case "/busy":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/gone":
			w.WriteHeader(http.StatusGone)
		}
	}))
	defer server.Close()
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	home := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	for _, test := range []struct {
		url     string
		allowed []netip.Prefix
		want    string // a part of the failure; empty for none
		final   bool
	}{
		{server.URL + "/fine", home, "", false},
		{server.URL + "/fine", nil, "not public", true},
		{"http://localhost:" + port + "/fine", nil, "not public", true}, // the name is resolved first
		{server.URL + "/moved", home, "Redirects are not followed", true},
		{server.URL + "/busy", home, "503", false},
		{server.URL + "/gone", home, "410", true},
		{"http://127.0.0.1:1/", home, "cannot be reached", false},
	} {
		d := &delivery{id: uuid.New(), target: target{url: test.url, secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}}
		err := Webhook{Allowed: test.allowed}.send(context.WithoutCancel(t.Context()), d, struct{}{}, time.Unix(1, 0))
		f, _ := errors.AsType[*failure](err)
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s: %v", test.url, err)
		case test.want != "" && (f == nil || !strings.Contains(f.text, test.want) || f.final != test.final):
			t.Errorf("%s fails with %+v, want %q, final %t", test.url, err, test.want, test.final)
		}
	}
	d := &delivery{target: target{url: "http://127.0.0.1:1/services/sesame?key=sesame", secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}}
	cause := errors.Unwrap(Webhook{Allowed: home}.send(t.Context(), d, struct{}{}, time.Unix(1, 0)))
	if cause == nil || strings.Contains(cause.Error(), "sesame") || !strings.Contains(cause.Error(), "127.0.0.1:1") {
		t.Errorf("the cause that is logged is %v", cause)
	}
	if got := strings.Join(reached, " "); got != "/fine /moved /busy /gone" {
		t.Errorf("reached: %s", got)
	}
}
