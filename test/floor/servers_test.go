package floor

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
	"golang.org/x/sys/unix"

	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
)

// answer is what all servers write: the header of a product, and a body.
type answer struct {
	header [][2]string
	body   []byte
}

func newAnswer(size int) answer {
	return answer{
		body: []byte(strings.Repeat("x", size)),
		header: [][2]string{
			{"Cache-Control", "private, no-cache"}, {"Content-Type", "application/json"}, {"Etag", `"1"`},
			{"X-Content-Type-Options", "nosniff"}, {"X-Request-Id", "7K3QWZ5XN2BHRT4YVJ6MDC8PFA"},
		},
	}
}

// wire returns the answer as it is on the connection.
func (a answer) wire() []byte {
	var text strings.Builder
	text.WriteString("HTTP/1.1 200 OK\r\n")
	for _, field := range a.header {
		text.WriteString(field[0] + ": " + field[1] + "\r\n")
	}
	text.WriteString("Date: " + time.Now().UTC().Format(http.TimeFormat) + "\r\nContent-Length: " + strconv.Itoa(len(a.body)) + "\r\n\r\n")
	return append([]byte(text.String()), a.body...)
}

// server serves answers on a listener until ctx ends.
type server func(ctx context.Context, listener *net.TCPListener, a answer)

// netHTTP serves as the platform does, with a handler that does nothing but write.
func netHTTP(ctx context.Context, listener *net.TCPListener, a answer) {
	fields := make(map[string][]string, len(a.header)+1)
	for _, field := range a.header {
		fields[field[0]] = []string{field[1]}
	}
	fields["Content-Length"] = []string{strconv.Itoa(len(a.body))}
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		maps.Copy(w.Header(), fields)
		_, _ = w.Write(a.body)
	})
	component := httpserver.Component(listener, httpserver.Config{
		ReadTimeout: time.Minute, WriteTimeout: time.Minute, IdleTimeout: time.Minute, ShutdownTimeout: time.Second,
	}, handler, slog.New(slog.DiscardHandler))
	_ = component.Run(ctx, func() {})
}

// fastHTTP serves with the same limits.
func fastHTTP(ctx context.Context, listener *net.TCPListener, a answer) {
	s := &fasthttp.Server{
		ReadTimeout: time.Minute, WriteTimeout: time.Minute, IdleTimeout: time.Minute, NoDefaultServerHeader: true,
		Logger: log.New(io.Discard, "", 0),
		Handler: func(c *fasthttp.RequestCtx) {
			for _, field := range a.header {
				c.Response.Header.Set(field[0], field[1])
			}
			c.Response.SetBodyRaw(a.body)
		},
	}
	go func() { _ = s.Serve(listener) }()
	<-ctx.Done()
	_ = listener.Close()
	_ = s.Shutdown()
}

// parsed reads requests with the parser of net/http and writes bytes: no contexts, no deadlines, no goroutine that watches the
// connection, no header of the answer.
func parsed(ctx context.Context, listener *net.TCPListener, a answer) {
	wire := a.wire()
	eachConnection(ctx, listener, func(conn *net.TCPConn) {
		for requests := bufio.NewReader(conn); ; {
			if _, err := http.ReadRequest(requests); err != nil {
				return
			}
			if _, err := conn.Write(wire); err != nil {
				return
			}
		}
	})
}

// unparsed takes whatever arrives for a request. What it costs is two system calls, and a goroutine that is woken.
func unparsed(ctx context.Context, listener *net.TCPListener, a answer) {
	wire := a.wire()
	eachConnection(ctx, listener, func(conn *net.TCPConn) {
		for request := make([]byte, 4096); ; {
			if _, err := conn.Read(request); err != nil {
				return
			}
			if _, err := conn.Write(wire); err != nil {
				return
			}
		}
	})
}

// eachConnection serves each connection in a goroutine, until ctx ends.
func eachConnection(ctx context.Context, listener *net.TCPListener, serve func(*net.TCPConn)) {
	var serving sync.WaitGroup
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() })
	defer stop()
	for {
		conn, err := listener.AcceptTCP()
		if err != nil {
			break
		}
		serving.Go(func() {
			closing := context.AfterFunc(ctx, func() { _ = conn.Close() })
			defer closing()
			serve(conn)
		})
	}
	serving.Wait()
}

// polled is unparsed in one thread that asks epoll which connections have something: without goroutines, as in event-driven servers.
func polled(ctx context.Context, listener *net.TCPListener, a answer) {
	wire := a.wire()
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return
	}
	defer func() { _ = unix.Close(epoll) }()
	var polling sync.WaitGroup
	polling.Go(func() { poll(ctx, epoll, wire) })
	eachConnection(ctx, listener, func(conn *net.TCPConn) {
		file, err := conn.File() // a copy, which the runtime does not poll
		if err != nil {
			return
		}
		defer func() { _ = file.Close() }()
		fd := int(file.Fd())
		if unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}) == nil {
			<-ctx.Done()
		}
	})
	polling.Wait()
}

func poll(ctx context.Context, epoll int, wire []byte) {
	events, request := make([]unix.EpollEvent, 64), make([]byte, 4096)
	for ctx.Err() == nil {
		n, err := unix.EpollWait(epoll, events, 100)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
		for _, event := range events[:max(n, 0)] {
			if read, err := unix.Read(int(event.Fd), request); err != nil || read == 0 {
				_ = unix.EpollCtl(epoll, unix.EPOLL_CTL_DEL, int(event.Fd), nil)
				continue
			}
			_, _ = unix.Write(int(event.Fd), wire)
		}
	}
}

// start serves answers until the benchmark ends, and returns the address.
func (s server) start(b *testing.B, a answer) string {
	b.Helper()
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		b.Fatal(err)
	}
	platformtest.Go(b, func(ctx context.Context) { s(ctx, listener, a) })
	return listener.Addr().String()
}
