package body_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/platform/body"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/inflight"
)

// connection is a client that sends part every pause, and the deadline that the server reads it with.
type connection struct {
	*httptest.ResponseRecorder

	part     string
	pause    time.Duration
	parts    int
	rest     string // sent and not read yet
	deadline time.Time
}

// SetReadDeadline is what http.ResponseController calls.
func (c *connection) SetReadDeadline(at time.Time) error {
	c.deadline = at
	return nil
}

// Read implements io.Reader: it returns bytes as a client sends them, or the error of a deadline that passes before.
func (c *connection) Read(p []byte) (int, error) {
	if c.rest == "" {
		if c.parts == 0 {
			return 0, io.EOF
		}
		if time.Now().Add(c.pause).After(c.deadline) {
			<-time.After(time.Until(c.deadline))
			return 0, os.ErrDeadlineExceeded
		}
		<-time.After(c.pause)
		c.rest = c.part
		c.parts--
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// TestPace has a stall of 5 s, 1000 bytes a second, and 30 s in all.
func TestPace(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		client connection
		after  time.Duration // when a slow one is refused; 0: it is read
	}{
		"nothing":                      {connection{part: "x", pause: time.Hour, parts: 1}, 5 * time.Second},
		"steady":                       {connection{part: strings.Repeat("x", 1000), pause: time.Second, parts: 25}, 0},
		"with pauses":                  {connection{part: strings.Repeat("x", 5000), pause: 4 * time.Second, parts: 6}, 0},
		"a byte now and then":          {connection{part: "x", pause: time.Second, parts: 100}, 5*time.Second + 5*time.Millisecond},
		"fast enough, for ever":        {connection{part: strings.Repeat("x", 2000), pause: time.Second, parts: 45}, 30 * time.Second},
		"much at once and then no end": {connection{part: strings.Repeat("x", 50_000), pause: 6 * time.Second, parts: 2}, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client := tc.client
				client.ResponseRecorder = httptest.NewRecorder()
				opener := newOpener(t, 1<<30)
				begin := time.Now()
				_, err := readFrom(opener, &client)
				took := time.Since(begin)
				switch {
				case tc.after == 0 && err != nil:
					t.Errorf("got %v after %s", err, took)
				case tc.after != 0 && (errs.CodeOf(err) != "body_too_slow" || took != tc.after):
					t.Errorf("got %v after %s, want it to be too slow after %s", err, took, tc.after)
				}
				if left := begin.Add(pace.Total); !client.deadline.Equal(left) {
					t.Errorf("the connection is left with a deadline of %s, not %s", client.deadline, left)
				}
			})
		})
	}
}

func readFrom(opener *body.Opener, client *connection) ([]byte, error) {
	r := httptest.NewRequest(http.MethodPost, "/events", io.NopCloser(client))
	b, err := opener.Open(client, r, terms)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	return b.ReadAll()
}

// TestNothingIsHeldForAClientThatHasSentNothing opens more bodies than the budget has room for.
func TestNothingIsHeldForAClientThatHasSentNothing(t *testing.T) {
	t.Parallel()
	limits := inflight.Limits{Total: 64 << 10, Caller: 64 << 10, Address: 64 << 10}
	opener := body.NewOpener(inflight.NewBudget("ingest", limits, prometheus.NewRegistry()), pace)
	for _, encoding := range []string{"", "gzip", "zstd"} {
		opened := make(chan error, 10)
		var senders []*io.PipeWriter
		for range cap(opened) {
			reader, writer := io.Pipe()
			senders = append(senders, writer)
			started := make(chan struct{})
			go func() {
				r := httptest.NewRequest(http.MethodPost, "/events", notify{reader, started})
				r.Header.Set("Content-Encoding", encoding)
				_, err := opener.Open(httptest.NewRecorder(), r, streaming)
				opened <- err
			}()
			<-started
		}
		if _, err := read(opener, "", strings.NewReader(strings.Repeat("x", 50<<10))); err != nil {
			t.Errorf("encoding %q: another one: %v", encoding, err)
		}
		gone := errors.New("gone")
		for _, sender := range senders {
			sender.CloseWithError(gone)
		}
		for range cap(opened) {
			if err := <-opened; !errors.Is(err, gone) {
				t.Errorf("encoding %q: got %v", encoding, err)
			}
		}
	}
}

// notify closes started when it is read for the first time.
type notify struct {
	io.Reader

	started chan struct{}
}

// Read implements io.Reader.
func (n notify) Read(p []byte) (int, error) {
	close(n.started)
	return n.Reader.Read(p)
}
