package floor

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
)

// malformed are requests that a server must refuse (RFC 9112). A proxy in front may see another request in them: that is how
// requests are smuggled.
var malformed = map[string]string{
	"two lengths":               "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n",
	"a length with a sign":      "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +0\r\n\r\n",
	"an unknown coding":         "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\nContent-Length: 0\r\n\r\n",
	"chunked twice":             "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"a space before the colon":  "GET / HTTP/1.1\r\nHost: a\r\nContent-Length : 0\r\n\r\n",
	"a space before the name":   "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
	"a name that is none":       "GET / HTTP/1.1\r\nHost: a\r\nX(Y): 1\r\n\r\n",
	"a NUL in a value":          "GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
	"a CR in a value":           "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
	"no host":                   "GET / HTTP/1.1\r\nX: a\r\n\r\n",
	"two hosts":                 "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
	"a host that is none":       "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
	"no version":                "GET /\r\nHost: a\r\n\r\n",
	"another version":           "GET / HTTP/1.12\r\nHost: a\r\n\r\n",
	"a method that is none":     "G(T / HTTP/1.1\r\nHost: a\r\n\r\n",
	"a target that is none":     "GET x HTTP/1.1\r\nHost: a\r\n\r\n",
	"an escape that is none":    "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n",
	"a line without a colon":    "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
	"an expectation":            "GET / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\n\r\n",
	"a header without an end":   "GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("a", 64<<10) + "\r\n\r\n",
	"a control character in it": "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
}

// TestWhatServersRefuse sends malformed requests. When another version of fasthttp takes others, BENCHMARKS.md has to change.
func TestWhatServersRefuse(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		serve server
		takes []string
	}{
		{"net/http", netHTTP, nil},
		{"fasthttp", fastHTTP, []string{"an escape that is none", "an expectation"}},
	} {
		listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		platformtest.Go(t, func(ctx context.Context) { test.serve(ctx, listener, newAnswer(400)) })
		var takes []string
		for name, request := range malformed {
			if status := send(t, listener.Addr().String(), request); status == http.StatusOK {
				takes = append(takes, name)
			}
		}
		slices.Sort(takes)
		if !slices.Equal(takes, test.takes) {
			t.Errorf("%s takes %q, want %q", test.name, takes, test.takes)
		}
	}
}

// TestPipelining sends two requests at once, as RFC 9112 allows.
func TestPipelining(t *testing.T) {
	t.Parallel()
	for name, serve := range map[string]server{"net/http": netHTTP, "fasthttp": fastHTTP} {
		listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		platformtest.Go(t, func(ctx context.Context) { serve(ctx, listener, newAnswer(400)) })
		conn := dial(t, listener.Addr().String())
		if _, err := conn.Write(bytes.Repeat([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 2)); err != nil {
			t.Fatal(err)
		}
		answers := bufio.NewReader(conn)
		for i := range 2 {
			answer, err := http.ReadResponse(answers, nil)
			if err != nil || answer.StatusCode != http.StatusOK {
				t.Fatalf("%s, answer %d: %v, %v", name, i, answer, err)
			}
			var body bytes.Buffer
			if n, err := body.ReadFrom(answer.Body); err != nil || n != 400 {
				t.Errorf("%s, answer %d: %d bytes, %v", name, i, n, err)
			}
			_ = answer.Body.Close()
		}
	}
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// send returns the status of the answer to a request; 0 if the connection was closed without one.
func send(t *testing.T, address, request string) (status int) {
	t.Helper()
	conn := dial(t, address)
	_, _ = conn.Write([]byte(request)) // the server may close before it has read all
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return 0
	}
	var minor int
	if _, err := fmt.Sscanf(line, "HTTP/1.%d %d", &minor, &status); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return status
}
