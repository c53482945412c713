package httpserver

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
)

// net/http writes an answer through a buffer of 4 KiB, so header and body of a longer one are two or more writes: system calls, segments,
// and wake-ups of the client. Of an answer that is prepared, the length is known before it is written, so it can be one write.

// wholeListener accepts connections that can write an answer as a whole.
type wholeListener struct{ net.Listener }

// Accept implements net.Listener.
func (l wholeListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &wholeConn{Conn: c}, nil
}

// wholeConn is a connection that holds what is written of an announced answer until it has all of it. net/http writes to a connection
// from one goroutine at a time.
type wholeConn struct {
	net.Conn

	body   int // bytes of the announced answer's body; 0 if none is announced
	header int // bytes of its header; 0 until its end was written
	held   []byte
	writer wholeWriter
}

type connKey struct{}

// withConn lets answers to the requests of a connection find it.
func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// whole returns a writer for an answer whose body is one Write as long as its Content-Length.
func whole(w http.ResponseWriter, r *http.Request) http.ResponseWriter {
	c, ok := r.Context().Value(connKey{}).(*wholeConn)
	if !ok {
		return w
	}
	c.writer = wholeWriter{ResponseWriter: w, conn: c}
	return &c.writer // part of the connection, so that it costs no allocation
}

type wholeWriter struct {
	http.ResponseWriter

	conn *wholeConn
}

// Write implements http.ResponseWriter.
func (w *wholeWriter) Write(p []byte) (int, error) {
	w.conn.body = len(p)
	return w.ResponseWriter.Write(p)
}

// maxHeld bounds the buffer that a connection keeps between answers, in bytes.
const maxHeld = 16 << 10

// headerEnd is what the header of an answer ends with.
var headerEnd = []byte("\r\n\r\n")

// CloseWrite ends the direction to the client. net/http does so before it closes a connection with an unread body, and looks for the
// method on the connection itself: without it, the client gets a reset, possibly in place of the answer.
func (c *wholeConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Write implements net.Conn.
func (c *wholeConn) Write(p []byte) (int, error) {
	if c.body == 0 {
		return c.Conn.Write(p)
	}
	c.held = append(c.held, p...)
	if c.header == 0 {
		end := bytes.Index(c.held, headerEnd)
		if end < 0 {
			return len(p), nil // a header that is longer than the buffer of net/http
		}
		c.header = end + len(headerEnd)
	}
	if len(c.held) < c.header+c.body {
		return len(p), nil
	}
	_, err := c.Conn.Write(c.held)
	c.body, c.header, c.held = 0, 0, c.held[:0]
	if cap(c.held) > maxHeld {
		c.held = nil
	}
	if err != nil {
		return 0, err
	}
	return len(p), nil
}
