package client_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/hp-analytics/hp-analytics/client"
)

// inProcess answers requests by a handler without a network, so that tests can run in a synctest bubble.
type inProcess struct{ handler http.HandlerFunc }

func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	p.handler(recorder, r)
	return recorder.Result(), nil
}

// local returns a client whose requests a handler answers in this process.
func local(t *testing.T, handler http.HandlerFunc, options ...client.Option) *client.Client {
	t.Helper()
	options = append([]client.Option{client.WithHTTPClient(&http.Client{Transport: inProcess{handler}})}, options...)
	return newClient(t, "http://platform.test", options...)
}

func newClient(t *testing.T, url string, options ...client.Option) *client.Client {
	t.Helper()
	c, err := client.New(url, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// received is a request as a server has read it.
type received struct {
	header http.Header
	body   string // decompressed
}

// server records requests and answers them one after the other; the last answer is given to all that follow.
type server struct {
	*httptest.Server
	mu       sync.Mutex
	requests []received
}

func newServer(t *testing.T, answers ...http.HandlerFunc) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, received{r.Header, string(readBody(t, r))})
		answer := answers[min(len(s.requests), len(answers))-1]
		s.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) received() []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

func readBody(t *testing.T, r *http.Request) []byte {
	t.Helper()
	var body io.Reader = r.Body
	var err error
	switch r.Header.Get("Content-Encoding") {
	case "gzip":
		body, err = gzip.NewReader(r.Body)
	case "zstd":
		body, err = zstd.NewReader(r.Body)
	}
	if err != nil {
		t.Error(err)
		return nil
	}
	content, err := io.ReadAll(body)
	if err != nil {
		t.Error(err)
	}
	return content
}

// eventsOf returns the events of a bulk request in either form.
func eventsOf(t *testing.T, r received) []client.EventInput {
	t.Helper()
	var bulk client.EventBulkRequest
	if r.header.Get("Content-Type") == "application/json" {
		if err := json.Unmarshal([]byte(r.body), &bulk); err != nil {
			t.Error(err)
		}
		return bulk.Events
	}
	for line := range bytes.Lines([]byte(r.body)) {
		var event client.EventInput
		if err := json.Unmarshal(line, &event); err != nil {
			t.Error(err)
		}
		bulk.Events = append(bulk.Events, event)
	}
	return bulk.Events
}

// answer answers with a JSON body.
func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// refuse answers with a problem document.
func refuse(status int, code, retryAfter string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"type":"https://hp-analytics.dev/problems/`+code+`","title":"x","status":1,"code":"`+code+`",
			"detail":"A sentence.","errors":[{"pointer":"/type","code":"required","detail":"Must be there."}],
			"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"}`)
	}
}

// resetConnection loses the answer the way a killed process does.
func resetConnection(w http.ResponseWriter, _ *http.Request) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	_ = connection.(*net.TCPConn).SetLinger(0) // Close sends a reset
	_ = connection.Close()
}

// cutOff sends less than it announces.
func cutOff(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1000")
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, `{"id":`)
}

// cutOffSilently sends half of a document as if it were whole.
func cutOffSilently(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, `{"status":"acce`)
}

const accepted = `{"id":"0195a3f4-11d2-7c9e-a6f0-8b3e5d7c2a91","batch_id":"0195a3f4-11d5-7a02-9e1c-4d6f8a0b2c3e","status":"accepted"}`
