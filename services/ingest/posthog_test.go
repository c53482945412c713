package ingest_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// postHog sends a body, whose key is inside, and returns how many messages were stored and refused.
func (p *platform) postHog(path string, body []byte, header ...string) string {
	p.t.Helper()
	a := p.send(http.MethodPost, "/posthog/"+path, "", body, header...)
	a.expect(p.t, http.StatusOK, "")
	if a.number("status") != 1 {
		p.t.Errorf("%s is answered with %v", path, a.object)
	}
	return a.header.Get("Events-Accepted") + "+" + a.header.Get("Events-Rejected")
}

// The same event by every path and in every form of body is one event, and so is what is sent again.
func TestPostHogBodies(t *testing.T) {
	t.Parallel()
	p := start(t)
	at := time.Now().UTC().Add(-time.Hour).Truncate(time.Millisecond).Format(time.RFC3339Nano)
	message := fmt.Sprintf(`{"api_key":%q,"uuid":"5fa0ef13-7b40-4be3-9e1c-2f5c4c6d9a10","event":"Signed Up","distinct_id":"ada","timestamp":%q,"properties":{"plan":"pro"}}`,
		p.ingestKey, at)
	batch := fmt.Sprintf(`{"api_key":%q,"batch":[%s,{"event":"no user"},17],"sent_at":%q}`, p.ingestKey, message, time.Now().UTC().Format(time.RFC3339Nano))
	coded := "data=" + url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(message)))
	for name, send := range map[string]func() string{
		"a batch": func() string { return p.postHog("batch/", []byte(batch)) },
		"packed":  func() string { return p.postHog("batch", gzipped(t, batch), "Content-Encoding", "gzip") },
		"packed, as text": func() string {
			return p.postHog("e/?compression=gzip-js&ip=0&_=1773480413000&ver=1.449.2", gzipped(t, batch), "Content-Type", "text/plain")
		},
	} {
		if got := send(); got != "1+2" {
			t.Errorf("%s: %s", name, got)
		}
	}
	for name, send := range map[string]func() string{
		"a message": func() string { return p.postHog("capture", []byte(message)) },
		"a list":    func() string { return p.postHog("e", []byte("["+message+"]")) },
		"a form": func() string {
			return p.postHog("e/?compression=base64&beacon=1", []byte(coded), "Content-Type", "application/x-www-form-urlencoded")
		},
		"the newer path": func() string {
			return p.postHog("i/v0/e/", gzipped(t, message), "Content-Type", "text/plain;charset=UTF-8")
		},
		"the newer path, not slashed":  func() string { return p.postHog("i/v0/e", []byte(message)) },
		"the key in the header, wrong": func() string { return p.postHog("e/", []byte(message), "Authorization", "Bearer "+p.ingestKey) },
	} {
		if got := send(); got != "1+0" {
			t.Errorf("%s: %s", name, got)
		}
	}
	if n := p.count(`SELECT count(*) FROM ingest.events WHERE ts = $1 AND id = '5fa0ef13-7b40-4be3-9e1c-2f5c4c6d9a10'`, at); n != 1 {
		t.Errorf("%d events are stored, want 1", n)
	}
	if n := p.count(`SELECT count(*) FROM ingest.events`); n != 1 {
		t.Errorf("%d events are stored in all, want 1", n)
	}
	for _, code := range []string{"user_id_required", "malformed_json"} {
		if !strings.Contains(p.metrics(), `hpa_ingest_events_rejected_total{code="`+code+`"} 3`) {
			t.Errorf("%s is not counted", code)
		}
	}
}

// A visitor who is identified, or has an alias, is joined to the user.
func TestPostHogIdentities(t *testing.T) {
	t.Parallel()
	p := start(t)
	body := `{"api_key":"` + p.ingestKey + `","batch":[
		{"event":"view","distinct_id":"visitor","properties":{"sku":"SHOE","$device_id":"visitor"}},
		{"event":"$identify","distinct_id":"ada","properties":{"$anon_distinct_id":"visitor","$is_identified":true}},
		{"event":"$create_alias","distinct_id":"ada","properties":{"distinct_id":"ada","alias":"phone"}}]}`
	if got := p.postHog("batch/", []byte(body)); got != "3+0" {
		t.Errorf("the batch: %s", got)
	}
	if n := p.count(`SELECT count(*) FROM ingest.users u JOIN ingest.users person ON person.n = u.person WHERE u.anonymous AND u.id IN ('visitor', 'phone') AND person.id = 'ada'`); n != 2 {
		t.Errorf("%d ids are joined to the user, want 2", n)
	}
	if n := p.count(`SELECT count(*) FROM ingest.events e JOIN ingest.names n ON n.n = e.name WHERE n.name = 'view' AND e.product IS NOT NULL`); n != 1 {
		t.Errorf("%d events have their product, want 1", n)
	}
}

// There are no flags, and nobody without a key is told so.
func TestPostHogFlags(t *testing.T) {
	t.Parallel()
	p := start(t)
	for _, path := range []string{"flags/?v=2", "flags", "decide/?v=3&ip=1"} {
		a := p.send(http.MethodPost, "/posthog/"+path, "", []byte(`{"token":"`+p.ingestKey+`","distinct_id":"ada"}`))
		a.expect(t, http.StatusOK, "")
		if flags, ok := a.object["flags"].(map[string]any); !ok || len(flags) != 0 || a.object["errorsWhileComputingFlags"] != false {
			t.Errorf("%s: %v", path, a.object)
		}
	}
	p.send(http.MethodPost, "/posthog/flags/", "", []byte(`{"distinct_id":"ada"}`)).expect(t, http.StatusUnauthorized, "credentials_required")
	if n := p.count(`SELECT count(*) FROM ingest.events`); n != 0 {
		t.Errorf("%d events are stored", n)
	}
}

// What is no request of the API is refused for ever, and what is too large so that libraries send less.
func TestPostHogRefusals(t *testing.T) {
	t.Parallel()
	p := start(t)
	withKey := func(rest string) []byte { return []byte(`{"api_key":"` + p.ingestKey + `",` + rest + `}`) }
	for name, c := range map[string]struct {
		path   string
		body   []byte
		status int
		code   string
	}{
		"no key":         {"e/", []byte(`{"event":"x","distinct_id":"a"}`), http.StatusUnauthorized, "credentials_required"},
		"a foreign key":  {"e/", []byte(`{"api_key":"phc_theirs","event":"x","distinct_id":"a"}`), http.StatusUnauthorized, "invalid_api_key"},
		"a key to read":  {"e/", []byte(`{"api_key":"` + p.apiKey("read") + `","event":"x","distinct_id":"a"}`), http.StatusForbidden, "forbidden"},
		"many":           {"batch/", withKey(`"batch":[` + strings.Repeat(`{},`, 1000) + `{}]`), http.StatusRequestEntityTooLarge, "batch_too_large"},
		"too large":      {"batch/", bytes.Repeat([]byte(" "), 2<<20), http.StatusRequestEntityTooLarge, "body_too_large"},
		"a bomb":         {"e/", gzipped(t, strings.Repeat(" ", 2<<20)), http.StatusRequestEntityTooLarge, "compression_ratio"},
		"no gzip at all": {"e/", []byte("\x1f\x8b\x08hello"), http.StatusBadRequest, "unreadable_body"},
		"no call":        {"engage/", withKey(`"event":"x"`), http.StatusNotFound, "no_such_path"},
	} {
		t.Run(name, func(t *testing.T) {
			p.send(http.MethodPost, "/posthog/"+c.path, "", c.body).expect(t, c.status, c.code)
		})
	}
	p.send(http.MethodPost, "/posthog/batch/", p.ingestKey, []byte(`{"batch":[`)).expect(t, http.StatusBadRequest, "malformed_json")
}
