package ingest_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
)

const (
	cloudEvent  = "application/cloudevents+json"
	cloudEvents = "application/cloudevents-batch+json"
)

// cloud sends a body and returns how many events were stored and refused.
func (p *platform) cloud(contentType string, body []byte, header ...string) string {
	p.t.Helper()
	a := p.send(http.MethodPost, "/cloudevents", p.ingestKey, body, append(header, "Content-Type", contentType)...)
	a.expect(p.t, http.StatusAccepted, "")
	return a.header.Get("Events-Accepted") + "+" + a.header.Get("Events-Rejected")
}

// The same event in every mode, and sent again, is one event. What is refused is told where people look.
func TestCloudEventModes(t *testing.T) {
	t.Parallel()
	p := start(t)
	at := time.Now().UTC().Add(-time.Hour).Truncate(time.Millisecond).Format(time.RFC3339Nano)
	const data = `{"plan":"pro","size":"große"}`
	event := fmt.Sprintf(`{"specversion":"1.0","id":"17","source":"/shop","type":"Größe","time":%q,"userid":"ada","region":"eu","data":%s}`, at, data)
	batch := `[` + event + `,{"specversion":"1.0","id":"18","source":"/shop","type":"x","userid":"ada"},17]`
	binary := []string{"Ce-Specversion", "1.0", "Ce-Id", "17", "Ce-Source", "/shop", "Ce-Type", `"Gr%C3%B6%c3%9fe"`, "Ce-Time", at, "Ce-Userid", "ada", "Ce-Region", "eu"}
	for name, c := range map[string]struct{ got, want string }{
		"structured":    {p.cloud(cloudEvent+"; charset=UTF-8", []byte(event)), "1+0"},
		"batch":         {p.cloud(cloudEvents, []byte(batch)), "1+2"},
		"packed":        {p.cloud(cloudEvents, gzipped(t, batch), "Content-Encoding", "gzip"), "1+2"},
		"binary":        {p.cloud("application/json", []byte(data), binary...), "1+0"},
		"an empty one":  {p.cloud(cloudEvents, []byte(" [] ")), "0+0"},
		"other formats": {p.cloud("text/plain", []byte("hello"), binary...), "0+1"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %s, want %s", name, c.got, c.want)
		}
	}
	rows := p.stored(`SELECT n.name, e.properties::jsonb::text AS properties FROM ingest.events e JOIN ingest.names n ON n.n = e.name WHERE e.ts = $1`, at)
	if len(rows) != 1 || rows[0]["name"] != "Größe" || rows[0]["properties"] != `{"plan": "pro", "size": "große", "region": "eu", "source": "/shop"}` {
		t.Errorf("stored are %v", rows)
	}
	if n := p.count(`SELECT count(*) FROM ingest.events`); n != 1 {
		t.Errorf("%d events are stored, want 1", n)
	}
	for code, n := range map[string]int{"required": 2, "malformed_json": 3} {
		if !strings.Contains(p.metrics(), fmt.Sprintf(`hpa_ingest_events_rejected_total{code=%q} %d`, code, n)) {
			t.Errorf("%s is not counted", code)
		}
	}
}

// The client of CloudEvents for Go, as its documentation uses it, in both of its modes.
func TestCloudEventsClient(t *testing.T) {
	t.Parallel()
	p := start(t)
	client, err := cloudevents.NewClientHTTP(cehttp.WithTarget(p.url+"/cloudevents"), cehttp.WithHeader("Authorization", "Bearer "+p.ingestKey))
	if err != nil {
		t.Fatal(err)
	}
	for i, mode := range []func(context.Context) context.Context{cloudevents.WithEncodingBinary, cloudevents.WithEncodingStructured} {
		e := cloudevents.NewEvent()
		e.SetID("go-17")
		e.SetSource(fmt.Sprintf("https://shop.example/%d", i))
		e.SetType("view")
		e.SetSubject("SHOE")
		e.SetTime(time.Now().Add(-time.Hour))
		e.SetExtension("userid", "ada")
		if err := e.SetData(cloudevents.ApplicationJSON, map[string]any{"plan": "pro"}); err != nil {
			t.Fatal(err)
		}
		for range 2 { // and again
			if result := client.Send(mode(t.Context()), e); !cloudevents.IsACK(result) || cloudevents.IsUndelivered(result) {
				t.Errorf("mode %d: %v", i, result)
			}
		}
	}
	if n := p.count(`SELECT count(*) FROM ingest.events WHERE product IS NOT NULL AND properties::jsonb->>'plan' = 'pro'`); n != 2 {
		t.Errorf("%d events are stored, want 2", n)
	}
}

// What is no CloudEvent at all is refused as a whole.
func TestCloudEventRefusals(t *testing.T) {
	t.Parallel()
	p := start(t)
	for name, c := range map[string]struct {
		key, contentType string
		body             []byte
		status           int
		code             string
	}{
		"no key":        {"", cloudEvent, []byte(`{}`), http.StatusUnauthorized, "credentials_required"},
		"a key to read": {p.apiKey("read"), cloudEvent, []byte(`{}`), http.StatusForbidden, "forbidden"},
		"many":          {p.ingestKey, cloudEvents, []byte("[" + strings.Repeat("1,", 1000) + "1]"), http.StatusRequestEntityTooLarge, "batch_too_large"},
		"too large":     {p.ingestKey, cloudEvents, []byte(strings.Repeat(" ", 6<<20)), http.StatusRequestEntityTooLarge, "body_too_large"},
		"a bomb":        {p.ingestKey, cloudEvents, gzipped(t, strings.Repeat(" ", 4<<20)), http.StatusRequestEntityTooLarge, "compression_ratio"},
		"no JSON":       {p.ingestKey, cloudEvent, []byte(`{"id":`), http.StatusBadRequest, "malformed_json"},
		"no CloudEvent": {p.ingestKey, "application/json", []byte(`{}`), http.StatusUnsupportedMediaType, "unsupported_media_type"},
		"XML":           {p.ingestKey, "application/cloudevents+xml", []byte(`<a/>`), http.StatusUnsupportedMediaType, "unsupported_media_type"},
		"Latin-1":       {p.ingestKey, cloudEvent + "; charset=latin1", []byte(`{}`), http.StatusUnsupportedMediaType, "unsupported_media_type"},
	} {
		header := []string{"Content-Type", c.contentType}
		if len(c.body) > 2 && c.body[0] == 0x1f {
			header = append(header, "Content-Encoding", "gzip")
		}
		t.Run(name, func(t *testing.T) {
			p.send(http.MethodPost, "/cloudevents", c.key, c.body, header...).expect(t, c.status, c.code)
		})
	}
}
