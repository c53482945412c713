package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/openapi/apifuzz"
)

const (
	// answerTimeout bounds one request.
	answerTimeout = 30 * time.Second
	// maxAnswer bounds an answer in bytes.
	maxAnswer = 64 << 20
)

// connection sends requests as they are, one after the other.
type connection struct {
	address string
	conn    net.Conn
	reader  *bufio.Reader
}

// do sends a request and reads its answer.
func (c *connection) do(ctx context.Context, r *apifuzz.Request, credentials string) (*http.Response, []byte, error) {
	if c.conn == nil {
		var dialer net.Dialer
		conn, err := dialer.DialContext(ctx, "tcp", c.address)
		if err != nil {
			return nil, nil, err
		}
		c.conn, c.reader = conn, bufio.NewReader(conn)
	}
	if err := c.conn.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
		return nil, nil, err
	}
	// A server may answer before it has read everything, so the answer is read meanwhile. The error of writing then says nothing.
	written := make(chan error, 1)
	go func() {
		_, err := c.conn.Write(r.Bytes(c.address, credentials))
		written <- err
	}()
	response, body, err := c.read(r.Method)
	if err != nil || response.Close || r.Wire || strings.HasPrefix(r.Kind, "size:") {
		c.close()
	}
	if failed := <-written; failed != nil {
		c.close()
	}
	return response, body, err
}

func (c *connection) read(method string) (*http.Response, []byte, error) {
	response, err := http.ReadResponse(c.reader, &http.Request{Method: method})
	if err != nil {
		return nil, nil, fmt.Errorf("read the answer: %w", err)
	}
	if response.Header.Get("Content-Type") == "text/event-stream" { // it does not end
		c.close()
		return response, nil, nil
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, nil, fmt.Errorf("read the body of the answer: %w", err)
	}
	return response, body, response.Body.Close()
}

func (c *connection) close() {
	if c.conn != nil {
		_ = c.conn.Close() // nothing more is expected from it
	}
	c.conn = nil
}
