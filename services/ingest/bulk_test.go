package ingest_test

import (
	"bytes"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// bulk returns a bulk document of events.
func bulk(events ...string) string { return `{"events":[` + strings.Join(events, ",") + `]}` }

// view returns an event with the given fields before its own.
func view(fields string) string {
	return `{` + fields + `"type":"view","sku":"SHOE","user_id":"customer-17"}`
}

func gzipped(t *testing.T, content string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zstandard(t *testing.T, content string) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll([]byte(content), nil)
}

func TestOneBadEventCostsOnlyItself(t *testing.T) {
	t.Parallel()
	p := start(t)
	events := []string{
		view(""), // 0
		`{"type":"view","sku":"NONE","user_id":"u"}`,
		`{"type":"view","sku":"HAT","user_id":"u"}`, // 2: facts about archived products count
		view(""),
		view(`"ts":"` + ago(-2*time.Hour) + `",`), // 4: is clamped
		view(`"ts":"` + ago(100*24*time.Hour) + `",`),
		view(`"id":"` + uuid.NewString() + `",`), // 6: its time is that of its first receipt
		view(`"properties":{"a":"` + strings.Repeat("x", 33<<10) + `"},`),
		view(`"properties":{"a":"\ud800"},`), // 8: jsonb would refuse it, so it is replaced
		view(`"properties":{"a":1e999999},`),
		`{"typ":"view"}`,
		`"view"`,
		`{"type":"view","sku":"SHOE"}`,
		view(""), // 13
	}
	wrong := []string{
		"1/sku unknown_product", "5/ts ts_too_old", "7 event_too_large", "9/properties invalid_value",
		"10/typ unknown_field", "10/type required", "10/user_id user_id_required", "11 wrong_type", "12/user_id user_id_required",
	}
	a := p.post("/events/bulk", p.ingestKey, bulk(events...))
	a.expectBulk(t, 7, 0, wrong...)
	if n := p.count(`SELECT count(*) FROM ingest.events WHERE batch = $1::bigint`, a.string("batch_id")); n != 7 {
		t.Errorf("%d rows are stored, want 7", n)
	}
	lines := strings.Join(append(events, `{"type":`), "\n")
	p.post("/events/bulk", p.ingestKey, lines, "Content-Type", "application/x-ndjson").expectBulk(t, 6, 1, append(wrong, "14 malformed_json")...)
}

// TestABulkOfBadEventsFails refuses all events, in each format. The answer names each, and there is no receipt of nothing.
func TestABulkOfBadEventsFails(t *testing.T) {
	t.Parallel()
	p := start(t)
	const bad = `{"type":"view","sku":"NONE","user_id":"u"}`
	for media, body := range map[string]string{"application/json": bulk(bad, bad), "application/x-ndjson": bad + "\n" + bad} {
		a := p.post("/events/bulk?wait=aggregated", p.ingestKey, body, "Content-Type", media)
		a.expectBulk(t, 0, 0, "0/sku unknown_product", "1/sku unknown_product")
		if _, has := a.object["batch_id"]; has || a.header.Get("Events-Rejected") != "2" {
			t.Errorf("%s: %v", media, a.object)
		}
	}
	if n := p.count(`SELECT count(*) FROM ingest.batches`); n != 0 {
		t.Errorf("%d receipts", n)
	}
}

// TestOddLines sends NDJSON as spreadsheets and other systems write it.
func TestOddLines(t *testing.T) {
	t.Parallel()
	p := start(t)
	for name, lines := range map[string]string{
		"byte order mark": "\ufeff" + view("") + "\n" + view("") + "\n", "CRLF": view("") + "\r\n" + view("") + "\r\n", "no last break": view("") + "\n" + view(""),
		"empty lines": "\n" + view("") + "\n\r\n\n" + view("") + "\n\n", "nulls": view(`"ts":null,"id":null,"properties":null,"anonymous_id":null,`) + "\n" + view(""),
	} {
		if a := p.post("/events/bulk", p.ingestKey, lines, "Content-Type", "application/x-ndjson"); a.number("accepted") != 2 || a.number("rejected") != 0 {
			t.Errorf("%s: %v", name, a.object)
		}
	}
}

func TestRetriesAndEqualIDs(t *testing.T) {
	t.Parallel()
	p := start(t)
	first, second := view(`"id":"`+v7(time.Now()).String()+`",`), view(`"id":"`+uuid.NewString()+`","ts":"`+ago(72*time.Hour)+`",`)
	p.post("/events/bulk", p.ingestKey, bulk(first, second, first)).expectBulk(t, 2, 1)
	p.post("/events/bulk", p.ingestKey, bulk(second, first, view(""))).expectBulk(t, 1, 2)
	p.post("/events", p.ingestKey, first).expect(t, http.StatusAccepted, "")
	if n := p.count(`SELECT count(*) FROM ingest.events`); n != 3 {
		t.Errorf("%d rows, want 3", n)
	}
	if n := p.count(`SELECT sum(rows) FROM ingest.batches`); n != 3 {
		t.Errorf("the batches count %d rows, want 3", n)
	}
	if n := p.count(`SELECT count(*) FROM ingest.batches WHERE rows = 0 AND aggregated_at IS NOT NULL`); n != 1 {
		t.Errorf("%d receipts of nothing, want 1", n)
	}
}

// TestConcurrentRetries sends the same events from many clients at once, each in another order.
func TestConcurrentRetries(t *testing.T) {
	t.Parallel()
	p := start(t)
	const clients, size = 16, 50
	events := make([]string, size)
	for i := range events {
		events[i] = view(`"id":"` + uuid.NewString() + `","ts":"` + ago(time.Duration(i)*time.Hour) + `",`)
	}
	accepted := make(chan int, clients)
	var wg sync.WaitGroup
	for i := range clients {
		order := append(append([]string{}, events[i*3:]...), events[:i*3]...)
		wg.Go(func() {
			a, err := p.try(http.MethodPost, "/events/bulk", p.ingestKey, []byte(bulk(order...)))
			if err != nil || a.status != http.StatusAccepted || a.number("accepted")+a.number("duplicates") != size {
				t.Errorf("client %d: %v, %v", i, a, err)
			}
			accepted <- a.number("accepted")
		})
	}
	wg.Wait()
	close(accepted)
	total := 0
	for n := range accepted {
		total += n
	}
	if n := p.count(`SELECT count(*) FROM ingest.events`); n != size || total != size {
		t.Errorf("%d rows and %d acceptances, want %d", n, total, size)
	}
}

func TestEncodingsOfBulk(t *testing.T) {
	t.Parallel()
	p := start(t)
	document, lines := bulk(view(""), view("")), view("")+"\n"+view("")+"\n"
	for encoding, encode := range map[string]func(*testing.T, string) []byte{
		"identity": func(_ *testing.T, s string) []byte { return []byte(s) }, "gzip": gzipped, "zstd": zstandard,
	} {
		for _, media := range []string{"application/json", "application/x-ndjson", "application/ndjson", "application/jsonl; charset=utf-8"} {
			content := document
			if media != "application/json" {
				content = lines
			}
			a := p.send(http.MethodPost, "/events/bulk", p.ingestKey, encode(t, content), "Content-Type", media, "Content-Encoding", encoding)
			a.expectBulk(t, 2, 0)
		}
	}
}

func TestBadBatches(t *testing.T) {
	t.Parallel()
	p := start(t)
	many := make([]string, 1001)
	for i := range many {
		many[i] = view("")
	}
	large := make([]string, 200)
	for i := range large {
		large[i] = view(`"properties":{"a":"` + strings.Repeat("x", 30<<10) + `"},`)
	}
	ndjson := []string{"Content-Type", "application/x-ndjson"}
	for name, tc := range map[string]struct {
		body   []byte
		header []string
		status int
		code   string
	}{
		"malformed":        {body: []byte(`{"events":[` + view("") + `,{]}`), status: 400, code: "malformed_json"},
		"not an object":    {body: []byte(`[` + view("") + `]`), status: 422, code: "validation_failed"},
		"no events":        {body: []byte(`{}`), status: 422, code: "validation_failed"},
		"empty":            {body: []byte(bulk()), status: 422, code: "empty_batch"},
		"empty NDJSON":     {body: []byte("\n\n"), header: ndjson, status: 422, code: "empty_batch"},
		"too many":         {body: []byte(bulk(many...)), status: 413, code: "batch_too_large"},
		"too many lines":   {body: []byte(strings.Join(many, "\n")), header: ndjson, status: 413, code: "batch_too_large"},
		"too large":        {body: []byte(bulk(large...)), status: 413, code: "body_too_large"},
		"too large NDJSON": {body: []byte(strings.Join(large, "\n")), header: ndjson, status: 413, code: "body_too_large"},
		"too large gzip":   {body: gzipped(t, bulk(large...)), header: []string{"Content-Encoding", "gzip"}, status: 413, code: "compression_ratio"},
		"too large zstd":   {body: zstandard(t, bulk(large...)), header: []string{"Content-Encoding", "zstd"}, status: 413, code: "compression_ratio"},
		"half a gzip":      {body: gzipped(t, bulk(large[:100]...))[:100], header: []string{"Content-Encoding", "gzip"}, status: 400, code: "unreadable_body"},
		"an encoding":      {body: []byte(bulk(view(""))), header: []string{"Content-Encoding", "deflate"}, status: 415, code: "unsupported_encoding"},
		"a media type":     {body: []byte(bulk(view(""))), header: []string{"Content-Type", "text/csv"}, status: 415, code: "unsupported_media_type"},
	} {
		p.send(http.MethodPost, "/events/bulk", p.ingestKey, tc.body, tc.header...).expect(t, tc.status, tc.code)
		if t.Failed() {
			t.Fatalf("that was %s", name)
		}
	}
	if n := p.count(`SELECT count(*) FROM ingest.events`); n != 0 {
		t.Errorf("%d rows are stored", n)
	}
	p.post("/events/bulk", p.ingestKey, bulk(many[:1000]...)).expectBulk(t, 1000, 0)
}

func TestMetricsTellWhatBecameOfEvents(t *testing.T) {
	t.Parallel()
	p := start(t)
	twice := view(`"id":"` + v7(time.Now()).String() + `",`)
	p.post("/events/bulk", p.ingestKey, bulk(twice, twice, `{"type":"view","sku":"NONE","user_id":"u"}`)).expectBulk(t, 1, 1, "2/sku unknown_product")
	p.post("/events", p.ingestKey, `{"type":"view","sku":"HAT"}`).expect(t, http.StatusUnprocessableEntity, "validation_failed")
	families, err := p.deps.Gatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			name := []string{family.GetName()}
			for _, label := range m.GetLabel() {
				name = append(name, label.GetValue())
			}
			got[strings.Join(name, " ")] = m.GetCounter().GetValue() + m.GetHistogram().GetSampleSum()
		}
	}
	for name, want := range map[string]float64{
		"hpa_ingest_events_total accepted":                  1,
		"hpa_ingest_events_total duplicate":                 1,
		"hpa_ingest_events_rejected_total unknown_product":  1,
		"hpa_ingest_events_rejected_total user_id_required": 1,
		"hpa_ingest_flush_rows":                             1,
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	if got["hpa_ingest_commit_duration_seconds events"] <= 0 {
		t.Error("no commit was measured")
	}
}
