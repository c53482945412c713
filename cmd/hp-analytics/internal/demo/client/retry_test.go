package client_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/client"
)

// inProcess answers requests by a handler without a network, so that time can be synctest's.
type inProcess struct{ handler http.HandlerFunc }

func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	p.handler(recorder, r)
	return recorder.Result(), nil
}

func newClient(t *testing.T, o client.Options) *client.Client {
	t.Helper()
	if o.URL == "" {
		o.URL = "http://platform.test"
	}
	if o.Patience == 0 {
		o.Patience = 5 * time.Minute
	}
	o.Connections = 2
	c, err := client.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// answer is one that a platform gives.
type answer = func(w http.ResponseWriter)

const acceptedEvent = `{"id":"x","batch_id":"y","status":"accepted"}`

// troubled gives the first answers, one after the other, and then accepts.
func troubled(first ...answer) (handler http.HandlerFunc, tries *int) {
	tries = new(int)
	return func(w http.ResponseWriter, _ *http.Request) {
		*tries++
		if *tries <= len(first) {
			first[*tries-1](w)
			return
		}
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, acceptedEvent)
	}, tries
}

// refuse answers with a problem document.
func refuse(status int, code, retryAfter string) answer {
	return func(w http.ResponseWriter) {
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"code":"`+code+`","detail":"A sentence.","errors":[{"pointer":"/type","code":"required","detail":"Must be there."}]}`)
	}
}

func TestWhatThePlatformAsksForIsWaitedFor(t *testing.T) {
	t.Parallel()
	badGateway := func(w http.ResponseWriter) { http.Error(w, "<html>", http.StatusBadGateway) }
	cases := []struct {
		name        string
		answers     []answer
		least, most time.Duration
	}{
		{"a quota", []answer{refuse(429, "rate_limited", "40")}, 40 * time.Second, 44 * time.Second},
		{"overload, twice", []answer{refuse(503, "overloaded", "2"), refuse(503, "overloaded", "3")}, 5 * time.Second, 5500 * time.Millisecond},
		{"no word how long", []answer{refuse(503, "away", "")}, 100 * time.Millisecond, 300 * time.Millisecond},
		{"at once", []answer{refuse(503, "away", "0")}, 100 * time.Millisecond, 300 * time.Millisecond},
		{"a proxy", []answer{badGateway, refuse(504, "away", "soon")}, 200 * time.Millisecond, time.Second},
		{"a purchase in flight", []answer{refuse(409, "idempotency_key_in_flight", "")}, 100 * time.Millisecond, 300 * time.Millisecond},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				handler, tries := troubled(c.answers...)
				told := 0
				platform := newClient(t, client.Options{Transport: inProcess{handler}, Retrying: func(error) { told++ }})
				began := time.Now()
				fates, err := platform.SendEvent(t.Context(), client.Event{ID: "x"})
				if err != nil || fates.Accepted != 1 {
					t.Fatalf("%+v, %v", fates, err)
				}
				if took := time.Since(began); took < c.least || took > c.most {
					t.Errorf("waited %s, want %s to %s", took, c.least, c.most)
				}
				if want := len(c.answers); *tries != want+1 || told != want || platform.Retries() != int64(want) {
					t.Errorf("%d tries, told of %d, counted %d retries; want %d", *tries, told, platform.Retries(), want)
				}
			})
		})
	}
}

func TestRefusalsAreFinal(t *testing.T) {
	t.Parallel()
	for status, code := range map[int]string{
		400: "malformed_json", 401: "invalid_credentials", 403: "forbidden", 409: "purchase_id_taken", 422: "validation_failed", 500: "internal",
	} {
		handler, tries := troubled(refuse(status, code, ""))
		_, err := newClient(t, client.Options{Transport: inProcess{handler}}).SendEvent(t.Context(), client.Event{ID: "x"})
		if *tries != 1 || err == nil {
			t.Errorf("%d: %d tries, %v", status, *tries, err)
			continue
		}
		for _, want := range []string{"POST /events", code, "A sentence.", "/type required: Must be there."} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%d: %q does not say %q", status, err, want)
			}
		}
		if e, ok := errors.AsType[*client.ProblemError](err); !ok || e.Status != status || e.Code != code {
			t.Errorf("%d: %#v", status, err)
		}
	}
}

func TestPatienceEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		handler := func(w http.ResponseWriter, _ *http.Request) { refuse(503, "database_unavailable", "1")(w) }
		platform := newClient(t, client.Options{Transport: inProcess{handler}, Patience: 3 * time.Minute})
		began := time.Now()
		_, err := platform.SendEvent(t.Context(), client.Event{ID: "x"})
		if took := time.Since(began); took < 2*time.Minute || took > 3*time.Minute {
			t.Errorf("gave up after %s", took)
		}
		if err == nil || !strings.Contains(err.Error(), "tried for 3m0s") || !strings.Contains(err.Error(), "database_unavailable") {
			t.Errorf("%v", err)
		}
	})
}

func TestInterruptedWhileWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		handler, _ := troubled(refuse(429, "rate_limited", "60"))
		began := time.Now()
		_, err := newClient(t, client.Options{Transport: inProcess{handler}}).SendEvent(ctx, client.Event{ID: "x"})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

// A platform that is killed resets connections, some in the middle of an answer.
func TestLostAnswersAreAskedForAgainWithTheSameBody(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var bodies []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		bodies = append(bodies, string(body))
		try := len(bodies)
		mu.Unlock()
		switch try {
		case 1:
			connection, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_ = connection.(*net.TCPConn).SetLinger(0) // closing resets
			_ = connection.Close()
		case 2:
			w.Header().Set("Content-Length", "1000") // and then says less
			w.WriteHeader(http.StatusAccepted)
			_, _ = io.WriteString(w, acceptedEvent)
		default:
			w.WriteHeader(http.StatusAccepted)
			_, _ = io.WriteString(w, `{"accepted":1,"duplicates":1,"rejected":0,"errors":[]}`)
		}
	}))
	defer server.Close()
	events := []client.Event{{ID: "a", Type: "view", UserID: "u"}, {ID: "b", Type: "view", UserID: "u"}}
	fates, err := newClient(t, client.Options{URL: server.URL}).SendEvents(t.Context(), events, client.Form{})
	if err != nil || fates.Accepted != 1 || fates.Duplicates != 1 {
		t.Fatalf("%+v, %v", fates, err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(bodies) != 3 || bodies[0] == "" || bodies[1] != bodies[0] || bodies[2] != bodies[0] {
		t.Errorf("bodies: %q", bodies)
	}
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	_, err := newClient(t, client.Options{URL: server.URL, Patience: 300 * time.Millisecond}).Login(t.Context(), "a", "b")
	if err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("%v", err)
	}
}

func TestAddressesAreChecked(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "localhost:8080", "ftp://localhost", "http://", "http://a b"} {
		if _, err := client.New(client.Options{URL: url}); err == nil {
			t.Errorf("%q is taken", url)
		}
	}
}

// TestRoutes sends each request to the service that its path belongs to, and the rest to the platform's own address.
func TestRoutes(t *testing.T) {
	t.Parallel()
	asked := map[string]string{} // host by path
	c := newClient(t, client.Options{
		Routes: map[string]string{"events": "http://ingest.test:8080/"},
		Transport: inProcess{func(w http.ResponseWriter, r *http.Request) {
			asked[r.URL.Path] = r.Host
			_, _ = io.WriteString(w, `{"access_token":"x","batch_id":"y","status":"accepted"}`)
		}},
	})
	if _, err := c.Login(t.Context(), "a@example.com", "secret"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.SendEvent(t.Context(), client.Event{}); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"/auth/login": "platform.test", "/events": "ingest.test:8080"}
	if !maps.Equal(asked, want) {
		t.Errorf("asked %v, want %v", asked, want)
	}
	if _, err := client.New(client.Options{URL: "http://h", Routes: map[string]string{"events": "ingest"}}); err == nil {
		t.Error("a route without a URL is taken")
	}
}
