package host_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/posthog/posthog-go"
)

// watched is a transport that tells when a request has failed.
type watched struct {
	failed chan struct{}
	once   sync.Once
}

// RoundTrip implements http.RoundTripper.
func (w *watched) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil && r.Context().Err() == nil {
		w.once.Do(func() { close(w.failed) })
	}
	return answer, err
}

// outcomes are those of the messages of a client. It drops what waits to be sent again when it is closed, so tests wait for them before.
type outcomes chan error

// Success implements posthog.Callback.
func (o outcomes) Success(posthog.APIMessage) { o <- nil }

// Failure implements posthog.Callback.
func (o outcomes) Failure(_ posthog.APIMessage, err error) { o <- err }

// all waits for n of them.
func (o outcomes) all(t *testing.T, n int) {
	t.Helper()
	for range n {
		if err := <-o; err != nil {
			t.Fatal(err)
		}
	}
}

// silence is a log of nothing. Failures are part of the test.
type silence struct{}

// Logf implements posthog.Logger.
func (silence) Logf(string, ...any) {}

// Errorf implements posthog.Logger.
func (silence) Errorf(string, ...any) {}

// PostHog's library for Go sends everything once, though it gives messages no id unless it is told one: when answers are lost, and when the server is away in between.
func TestPostHogLibraryForGo(t *testing.T) {
	t.Parallel()
	s := newShop(startPlatform(t))
	s.create("TEA 1/2")
	way := newRoad(t, s.url)
	sent := make(outcomes, 100)
	open := func(transport http.RoundTripper) posthog.Client {
		client, err := posthog.NewWithConfig(strings.TrimPrefix(s.key, "Bearer "), posthog.Config{
			Endpoint: way.url() + "/posthog", BatchSize: 5, Transport: transport, Logger: silence{}, Callback: sent,
			RetryAfter: func(int) time.Duration { return 500 * time.Millisecond },
		})
		if err != nil {
			t.Fatal(err)
		}
		return client
	}
	send := func(client posthog.Client, messages ...posthog.Message) {
		for _, message := range messages {
			if err := client.Enqueue(message); err != nil {
				t.Fatal(err)
			}
		}
	}
	capture := func(name string, properties posthog.Properties) posthog.Capture {
		return posthog.Capture{DistinctId: "posthog-17", Event: name, Properties: properties}
	}
	songs := func(client posthog.Client, from int) {
		for i := range 10 {
			send(client, capture("Song Played", posthog.NewProperties().Set("i", from+i)))
		}
	}
	client := open(http.DefaultTransport)
	send(client,
		posthog.Identify{DistinctId: "posthog-17", Properties: posthog.NewProperties().Set("plan", "pro")},
		posthog.Alias{DistinctId: "posthog-17", Alias: "posthog-phone"},
		posthog.GroupIdentify{Type: "company", Key: "acme", Properties: posthog.NewProperties().Set("seats", 3), DistinctId: "posthog-17"},
		capture("view", posthog.NewProperties().Set("sku", "TEA 1/2")),
		capture("$pageview", posthog.NewProperties().Set("$current_url", "https://shop.example/tea")))
	songs(client, 0)
	sent.all(t, 15)
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	if way.lost.Load() == 0 {
		t.Error("no answer was lost")
	}

	way.close()
	transport := &watched{failed: make(chan struct{})}
	client = open(transport)
	songs(client, 10)
	select {
	case <-transport.failed:
	case <-t.Context().Done():
		t.Fatal("nothing was sent while the server was away")
	}
	way.open()
	sent.all(t, 10)
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	counts := s.counts()
	want := map[string]float64{"Song Played": 20, "view": 1, "identify": 2, "page": 1, "group": 1, "Last": 1}
	for name, n := range want {
		if counts[name] != n {
			t.Errorf("there are %v events %s, want %v", counts[name], name, n)
		}
	}
	if len(counts) != len(want) {
		t.Errorf("there are other events: %v", counts)
	}
}
