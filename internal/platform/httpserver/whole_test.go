package httpserver_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/reply"
)

// countingListener counts the writes to its connections.
type countingListener struct {
	net.Listener
	writes *atomic.Int64
}

func (l countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return countingConn{c, l.writes}, nil
}

type countingConn struct {
	net.Conn
	writes *atomic.Int64
}

func (c countingConn) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

// TestPreparedAnswersAreOneWrite sends requests over one connection, and compares answers and writes. Answers that a handler writes
// piece by piece are as before.
func TestPreparedAnswersAreOneWrite(t *testing.T) {
	t.Parallel()
	router, _ := prepared(t, nil)
	bodies := map[string][]byte{}
	for name, size := range map[string]int{"/a": 1, "/b": 4096 - 200, "/c": 4096, "/d": 9000, "/e": 200_000} {
		bodies[name] = bytes.Repeat([]byte("x\r\n\r\n"), size/5+1)[:size]
	}
	router.Ahead([]string{"/"}, func(r *http.Request) (*reply.Reply, int) {
		if body, ok := bodies[r.URL.Path]; ok {
			return reply.New(body, reply.Options{}), 2
		}
		if r.URL.Path == "/long-header" {
			return reply.New([]byte("z"), reply.Options{CacheControl: strings.Repeat("no-cache, ", 1000)}), 2
		}
		return nil, 0
	})
	router.Get("/pieces", func(w http.ResponseWriter, _ *http.Request) {
		for range 3 {
			_, _ = io.WriteString(w, strings.Repeat("y", 5000))
		}
	})
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var writes atomic.Int64
	server := httpserver.Component(countingListener{inner, &writes}, httpserver.Config{
		ReadTimeout: time.Minute, WriteTimeout: time.Minute, IdleTimeout: time.Minute, ShutdownTimeout: time.Second,
	}, router, platformtest.Discard())
	platformtest.Go(t, func(ctx context.Context) { _ = server.Run(ctx, func() {}) })

	conn, err := net.Dial("tcp", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	answers := bufio.NewReader(conn)
	for _, c := range []struct {
		path, header string
		status       int
		writes       int64 // 0: as many as net/http makes
	}{
		{"/a", "", 200, 1}, {"/d", "", 200, 1}, {"/b", "", 200, 1}, {"/c", "", 200, 1}, {"/e", "", 200, 1},
		{"/pieces", "", 200, 0}, {"/d", "", 200, 1}, {"/d", "If-None-Match: *\r\n", 304, 1}, {"/d", "Accept-Encoding: gzip\r\n", 200, 1},
		{"/nothing", "", 404, 1}, {"/e", "", 200, 1}, {"/long-header", "", 200, 1}, {"/a", "", 200, 1},
	} {
		before := writes.Load()
		if _, err := io.WriteString(conn, "GET "+c.path+" HTTP/1.1\r\nHost: a\r\n"+c.header+"\r\n"); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatalf("%s: %v", c.path, err)
		}
		body, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if err != nil || answer.StatusCode != c.status {
			t.Errorf("%s %s: status %d, %v", c.path, c.header, answer.StatusCode, err)
		}
		if want := bodies[c.path]; want != nil && c.header == "" && !bytes.Equal(body, want) {
			t.Errorf("%s: %d bytes, want %d", c.path, len(body), len(want))
		}
		if c.path == "/pieces" && len(body) != 15000 {
			t.Errorf("%s: %d bytes", c.path, len(body))
		}
		if got := writes.Load() - before; c.writes > 0 && got != c.writes {
			t.Errorf("%s %s: %d writes, want %d", c.path, c.header, got, c.writes)
		}
	}
}

// TestRefusedBodyEndsWithoutReset sends more than the server reads. The client gets the answer and the end of the connection.
func TestRefusedBodyEndsWithoutReset(t *testing.T) {
	t.Parallel()
	router, _ := prepared(t, nil)
	router.Post("/refused", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusRequestEntityTooLarge) })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := httpserver.Component(listener, httpserver.Config{
		ReadTimeout: time.Minute, WriteTimeout: time.Minute, IdleTimeout: time.Minute, ShutdownTimeout: time.Second,
	}, router, platformtest.Discard())
	platformtest.Go(t, func(ctx context.Context) { _ = server.Run(ctx, func() {}) })

	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	const header = "POST /refused HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n"
	if _, err := io.WriteString(conn, header+strings.Repeat("x", 64<<10)); err != nil {
		t.Fatal(err)
	}
	sent := bufio.NewReader(conn)
	answer, err := http.ReadResponse(sent, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d", answer.StatusCode)
	}
	if _, err := io.Copy(io.Discard, sent); err != nil {
		t.Errorf("the connection ends with %v", err)
	}
}
