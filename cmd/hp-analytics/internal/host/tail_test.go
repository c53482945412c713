package host_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/tail"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
)

// written is an output that is read while it is written.
type written struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (w *written) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *written) lines() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Collect(strings.Lines(w.text.String()))
}

// TestTail follows a project while it is sent events, an order, a refund and garbage, through a restart: each is written once, in the order
// in which they were stored, as JSON and as text.
func TestTail(t *testing.T) {
	t.Parallel()
	p, restart := restartable(t)
	s := newShop(p)
	s.create("TEA")
	key := s.send(http.MethodPost, "/auth/api-keys", s.admin, `{"name":"tail","scopes":["read"]}`)["key"].(string)
	var asJSON, asText, orders, notes written
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	follow := func(o tail.Options) {
		o.URL, o.Key, o.Client, o.Notes = s.url, key, &http.Client{}, &notes
		running.Go(func() {
			if err := tail.Run(ctx, o); err != nil {
				t.Errorf("tail ends with %v", err)
			}
		})
	}
	follow(tail.Options{JSON: true, Out: &asJSON})
	follow(tail.Options{Refused: true, Out: &asText})
	follow(tail.Options{Query: url.Values{"kind": {"order"}}, Out: &orders})
	platformtest.Eventually(t, time.Minute, "all are connected", func() bool { return strings.Count(strings.Join(notes.lines(), ""), "Connected.") == 3 })

	const half = 15
	for n := range half {
		s.surely("/events", step(n))
	}
	platformtest.Eventually(t, time.Minute, "the first half is written", func() bool { return len(asJSON.lines()) == half })
	restart()
	for n := half; n < 2*half; n++ {
		s.surely("/events", step(n))
	}
	s.surely("/orders", `{"id":"#17","user_id":"ada","currency":"EUR","lines":[{"sku":"TEA","quantity":2,"amount_minor":1205}]}`)
	s.surely("/orders/%2317/refunds", `{"id":"#18","amount_minor":205}`)
	platformtest.Eventually(t, time.Minute, "all is written", func() bool {
		return len(asJSON.lines()) >= 2*half+2 && len(asText.lines()) >= 2*half+2 && len(orders.lines()) >= 1
	})
	platformtest.Eventually(t, time.Minute, "a refusal is written", func() bool {
		s.do(http.MethodPost, "/events", s.key, "application/json", `{"type":"view","sku":"NONE","user_id":"hush"}`)
		return len(asText.lines()) > 2*half+2
	})
	stop()
	running.Wait()

	var got, want []string
	for _, line := range asJSON.lines() {
		var written struct {
			Kind string
			Item struct{ Type, Number string }
		}
		if err := json.Unmarshal([]byte(line), &written); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		got = append(got, written.Kind+" "+written.Item.Type+written.Item.Number)
	}
	for n := range 2 * half {
		want = append(want, fmt.Sprintf("event step %d", n))
	}
	if want = append(want, "order #17", "refund #18"); !slices.Equal(got, want) {
		t.Errorf("written is %q, want %q", got, want)
	}
	text := strings.Join(asText.lines(), "")
	for _, want := range []string{" step 7 user=walker\n", ` order #17 12.05 EUR user=ada 2x TEA` + "\n", " refund #18 2.05 EUR ", " refused event unknown_product /sku "} {
		if !strings.Contains(text, want) {
			t.Errorf("the text has no %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "hush") {
		t.Errorf("the text has what is private:\n%s", text)
	}
	if all := strings.Join(notes.lines(), ""); !strings.Contains(all, "The connection is lost") || !strings.Contains(all, "The connection is back.") {
		t.Errorf("the notes are %q", all)
	}
	if err := tail.Run(t.Context(), tail.Options{URL: s.url, Key: strings.TrimPrefix(s.key, "Bearer "), Client: &http.Client{}, Out: &notes, Notes: &notes}); err == nil || !strings.Contains(err.Error(), "the platform refuses: ") {
		t.Errorf("with a key that only sends: %v", err)
	}
}
