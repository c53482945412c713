package client_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/client"
)

// decoded undoes the encoding of a body.
func decoded(t *testing.T, r *http.Request) []byte {
	t.Helper()
	var body io.Reader = r.Body
	var err error
	switch encoding := r.Header.Get("Content-Encoding"); encoding {
	case "gzip":
		body, err = gzip.NewReader(r.Body)
	case "zstd":
		body, err = zstd.NewReader(r.Body)
	case "":
	default:
		t.Errorf("Content-Encoding: %s", encoding)
	}
	if err != nil {
		t.Error(err)
		return nil
	}
	data, err := io.ReadAll(body)
	if err != nil {
		t.Error(err)
	}
	return data
}

// eventsOf reads the events of a bulk request, whatever its form.
func eventsOf(t *testing.T, r *http.Request) (events []client.Event) {
	t.Helper()
	body := decoded(t, r)
	if r.Header.Get("Content-Type") != "application/x-ndjson" {
		var bulk struct{ Events []client.Event }
		if err := json.Unmarshal(body, &bulk); err != nil {
			t.Error(err)
		}
		return bulk.Events
	}
	for line := range bytes.Lines(body) {
		var e client.Event
		if err := json.Unmarshal(line, &e); err != nil {
			t.Error(err)
		}
		events = append(events, e)
	}
	return events
}

func TestEveryFormCarriesTheSameEvents(t *testing.T) {
	t.Parallel()
	events := []client.Event{
		{
			ID: "a", Type: "view", SKU: "S", UserID: "u",
			TS: time.Date(2026, 3, 17, 1, 2, 3, 4_000_000, time.UTC), Properties: map[string]string{"q": "x"},
		},
		{ID: "b", Type: "click", ProductID: "P", UserID: "v"},
	}
	seen := map[string]bool{}
	for _, form := range client.Forms() {
		var got []client.Event
		c := answering(t, func(r *http.Request) string {
			seen[r.Header.Get("Content-Type")+" "+r.Header.Get("Content-Encoding")] = true
			got = eventsOf(t, r)
			return `{"accepted":2}`
		})
		if _, err := c.SendEvents(t.Context(), events, form); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(events, got); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", form, diff)
		}
	}
	if len(seen) != 6 {
		t.Errorf("forms that were used: %v", seen)
	}
}
