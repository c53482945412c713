package ingest_test

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/services/ingest"
)

// export begins an export.
func (p *platform) export(path, key, accept string) *http.Response {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.url+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+key)
	request.Header.Set("Accept", accept)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	return response
}

// lines returns the complete lines of an export in NDJSON as objects: all, or the first ones.
func (p *platform) lines(body io.Reader, most int) (rows []map[string]any) {
	p.t.Helper()
	scanner := bufio.NewScanner(body)
	for len(rows) < most && scanner.Scan() {
		var row map[string]any
		if err := json.Unmarshal(scanner.Bytes(), &row); err != nil {
			p.t.Fatalf("%s: %v", scanner.Text(), err)
		}
		rows = append(rows, row)
	}
	if err := scanner.Err(); err != nil {
		p.t.Fatal(err)
	}
	return rows
}

// stored returns the rows of a query, each as a JSON object, in their order.
func (p *platform) stored(query string, args ...any) (rows []map[string]any) {
	p.t.Helper()
	found, err := p.db.Query(p.t.Context(), "SELECT to_jsonb(r) FROM ("+query+") r", args...)
	if err != nil {
		p.t.Fatal(err)
	}
	defer found.Close()
	for found.Next() {
		var row map[string]any
		if err := found.Scan(&row); err != nil {
			p.t.Fatal(err)
		}
		rows = append(rows, row)
	}
	if err := found.Err(); err != nil {
		p.t.Fatal(err)
	}
	return rows
}

// storedEvents selects what an export of events has, without the cursor.
const storedEvents = `
	SELECT e.id, to_char(e.ts AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') AS ts, n.name AS type,
		CASE WHEN NOT u.anonymous THEN u.id END AS user_id, CASE WHEN u.anonymous THEN u.id END AS anonymous_id,
		p.id AS product_id, p.sku, e.batch::text AS batch_id, coalesce(e.properties, '{}')::jsonb AS properties
	FROM ingest.events e JOIN ingest.names n ON n.project = e.project AND n.n = e.name
	JOIN ingest.users u ON u.project = e.project AND u.n = e.user_n LEFT JOIN catalog.products p ON p.n = e.product
	WHERE e.project = 1 AND e.ts >= $1 AND e.ts < $2 ORDER BY e.ts, e.id`

// withoutCursor returns rows as they are stored.
func withoutCursor(t *testing.T, rows []map[string]any) []map[string]any {
	t.Helper()
	plain := make([]map[string]any, len(rows))
	for i, row := range rows {
		at, err := time.Parse(time.RFC3339Nano, fmt.Sprint(row["ts"]))
		if err != nil {
			t.Fatal(err)
		}
		plain[i] = map[string]any{}
		for name, value := range row {
			if name != "cursor" && name != "received_at" {
				plain[i][name] = value
			}
		}
		plain[i]["ts"] = at.UTC().Format("2006-01-02T15:04:05.000000")
	}
	return plain
}

func key(row map[string]any) string { return fmt.Sprint(row["ts"], row["id"]) }

// An export that breaks and goes on has every row that was stored before it began, each once, in order and as it is stored, whatever
// is written meanwhile; and those that are written ahead of its cursor before it goes on.
func TestExportAcrossABreakWhileWritesGoOn(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.exec(`UPDATE stats.zones SET time_zone = 'Asia/Kolkata' WHERE project = 1`) // a day in two partitions
	date := time.Now().UTC().AddDate(0, 0, -2).Truncate(24 * time.Hour)
	begin := date.Add(-5*time.Hour - 30*time.Minute)
	write := func(seed, n int) error {
		var events []string
		for i := range n {
			at := begin.Add(time.Duration((seed*7919+i*104729)%86_400_000) * time.Millisecond)
			events = append(events, fmt.Sprintf(`{"type":"t%d","user_id":"user %d","ts":"%s","properties":{"a":"=1","i":%d}}`, i%3, i%50, at.Format(time.RFC3339Nano), i))
		}
		a, err := p.try(http.MethodPost, "/events/bulk", p.ingestKey, []byte(bulk(events...)))
		if err == nil && a.status != http.StatusAccepted {
			err = fmt.Errorf("a write is answered with %d: %v", a.status, a.object)
		}
		return err
	}
	for i := range 5 {
		if err := write(i, 1000); err != nil {
			t.Fatal(err)
		}
	}
	p.post("/events", p.ingestKey, view(`"ts":"`+begin.Add(-time.Second).Format(time.RFC3339)+`",`)).expect(t, http.StatusAccepted, "")
	before := p.stored(storedEvents, begin, begin.AddDate(0, 0, 1))
	stop := make(chan struct{})
	var writers sync.WaitGroup
	writers.Go(func() {
		for i := 100; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if err := write(i, 20); err != nil {
				t.Error(err)
				return
			}
		}
	})
	path, read := "/events/export?day="+date.Format(time.DateOnly), p.apiKey("read")
	first := p.export(path, read, "application/x-ndjson")
	exported := p.lines(first.Body, 1700)
	first.Body.Close()
	broken := exported[len(exported)-1]
	meanwhile := p.stored(storedEvents, begin, begin.AddDate(0, 0, 1))
	second := p.export(path+"&after="+fmt.Sprint(broken["cursor"]), read, "application/x-ndjson")
	exported = append(exported, p.lines(second.Body, 1<<30)...)
	second.Body.Close()
	close(stop)
	writers.Wait()

	got := withoutCursor(t, exported)
	byKey := map[string]map[string]any{}
	for i, row := range got {
		byKey[key(row)] = row
		if i > 0 && key(got[i-1]) >= key(row) {
			t.Fatalf("%s comes after %s", key(row), key(got[i-1]))
		}
	}
	at := key(withoutCursor(t, []map[string]any{broken})[0])
	missing := func(row map[string]any) bool { return byKey[key(row)] == nil }
	if i := slices.IndexFunc(before, missing); i >= 0 {
		t.Errorf("%s was stored before the export and is missing", key(before[i]))
	}
	if i := slices.IndexFunc(meanwhile, func(row map[string]any) bool { return key(row) > at && missing(row) }); i >= 0 {
		t.Errorf("%s was stored ahead of the cursor and is missing", key(meanwhile[i]))
	}
	after := p.stored(storedEvents, begin, begin.AddDate(0, 0, 1))
	content := map[string]map[string]any{}
	for _, row := range after {
		content[key(row)] = row
	}
	for k, row := range byKey {
		if diff := cmp.Diff(content[k], row); diff != "" {
			t.Fatalf("%s (-stored +exported):\n%s", k, diff)
		}
	}
	whole := p.export(path, read, "*/*")
	rows := p.lines(whole.Body, 1<<30)
	if diff := cmp.Diff(after, withoutCursor(t, rows)); diff != "" {
		t.Errorf("without writes (-stored +exported):\n%s", diff)
	}
	if whole.Trailer.Get("Export-Rows") != strconv.Itoa(len(after)) || whole.Trailer.Get("Export-Cursor") != fmt.Sprint(rows[len(rows)-1]["cursor"]) {
		t.Errorf("the trailers are %v after %d rows", whole.Trailer, len(after))
	}
}

// Orders and refunds are exported line by line, with a cursor between the lines of one order.
func TestExportOfOrdersAndRefunds(t *testing.T) {
	t.Parallel()
	p := start(t)
	at, read := time.Now().UTC().AddDate(0, 0, -1), p.apiKey("read")
	p.exec(`UPDATE catalog.products SET status = 'active'`)
	for i := range 30 {
		a := p.post("/orders", p.ingestKey, fmt.Sprintf(`{"id":"=A-%d","user_id":"c","currency":"EUR","ts":"%s",
			"lines":[{"sku":"SHOE","quantity":1,"amount_minor":100},{"sku":"HAT","quantity":2,"amount_minor":300}]}`, i, at.Format(time.RFC3339Nano)))
		a.expect(t, http.StatusCreated, "")
		p.post("/orders/"+a.string("id")+"/refunds", p.ingestKey, fmt.Sprintf(`{"id":"R-%d","reason":"-too small","ts":"%s"}`, i, at.Format(time.RFC3339Nano))).
			expect(t, http.StatusCreated, "")
	}
	for kind, query := range map[string]string{
		"orders": `SELECT o.id, l.line, o.number, l.quantity, l.amount_minor, l.refunded_units AS refunded_quantity FROM ingest.orders o
			JOIN ingest.order_lines l ON l.order_id = o.id ORDER BY o.ts, o.id, l.line`,
		"refunds": `SELECT r.id, l.line, r.order_id, l.units AS quantity, l.amount_minor, r.reason FROM ingest.refunds r
			JOIN ingest.refund_lines l ON l.refund_id = r.id ORDER BY r.ts, r.id, l.line`,
	} {
		path := "/" + kind + "/export?day=" + at.Format(time.DateOnly)
		first := p.export(path, read, "application/x-ndjson")
		rows := p.lines(first.Body, 31) // within an order
		first.Body.Close()
		second := p.export(path+"&after="+fmt.Sprint(rows[30]["cursor"]), read, "application/x-ndjson")
		rows = append(rows, p.lines(second.Body, 1000)...)
		second.Body.Close()
		want := p.stored(query)
		if len(want) != 60 {
			t.Fatalf("%d lines of %s are stored", len(want), kind)
		}
		for i, row := range rows {
			for name := range row {
				if _, compared := want[0][name]; !compared {
					delete(row, name)
				}
			}
			if diff := cmp.Diff(want[min(i, 59)], row); diff != "" {
				t.Errorf("%s, row %d (-stored +exported):\n%s", kind, i, diff)
			}
		}
		if len(rows) != 60 {
			t.Errorf("%d lines of %s are exported", len(rows), kind)
		}
	}
}

// CSV has the same rows as NDJSON, under a header that is always the same, and no cell that a spreadsheet takes for a formula.
func TestExportAsCSV(t *testing.T) {
	t.Parallel()
	p := start(t)
	read, at := p.apiKey("read"), time.Now().UTC().AddDate(0, 0, -1)
	header := []string{"id", "ts", "type", "user_id", "anonymous_id", "product_id", "sku", "batch_id", "received_at", "properties", "cursor"}
	path := "/events/export?day=" + at.Format(time.DateOnly)
	records := func() [][]string {
		response := p.export(path, read, "text/csv, application/json;q=0.5")
		defer response.Body.Close()
		if got := response.Header.Get("Content-Type"); got != "text/csv; charset=utf-8; header=present" {
			t.Errorf("the media type is %q", got)
		}
		all, err := csv.NewReader(response.Body).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	if diff := cmp.Diff([][]string{header}, records()); diff != "" {
		t.Errorf("an empty day (-want +got):\n%s", diff)
	}
	p.post("/events", p.ingestKey, `{"type":"=HYPERLINK(\"x\"), y","user_id":"@a","sku":"SHOE","ts":"`+at.Format(time.RFC3339Nano)+`","properties":{"n":-5}}`).expect(t, http.StatusAccepted, "")
	ndjson := p.export(path, read, "application/x-ndjson")
	row := p.lines(ndjson.Body, 1)[0]
	ndjson.Body.Close()
	want := []string{
		fmt.Sprint(row["id"]), fmt.Sprint(row["ts"]), `'=HYPERLINK("x"), y`, "'@a", "", shoeID, "SHOE", fmt.Sprint(row["batch_id"]),
		fmt.Sprint(row["received_at"]), `{"n": -5}`, fmt.Sprint(row["cursor"]),
	}
	got := records()[1]
	got[9] = string(bytes.ReplaceAll([]byte(got[9]), []byte(`:-`), []byte(`: -`))) // JSON may have a space there
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if a := p.send(http.MethodHead, path, read, nil); a.status != http.StatusOK {
		t.Errorf("HEAD is answered with %d", a.status)
	}
}

// fat stores events of a day that no socket buffer holds.
func (p *platform) fat(at time.Time) {
	p.t.Helper()
	p.exec(`SELECT ingest.ensure_partitions($1::date, $1::date)`, at)
	p.exec(`INSERT INTO ingest.users (project, anonymous, n, id) OVERRIDING SYSTEM VALUE VALUES (1, false, 900, 'fat')`)
	p.exec(`INSERT INTO ingest.names (project, n, name) VALUES (1, 1, 'view') ON CONFLICT DO NOTHING`)
	p.exec(`INSERT INTO ingest.events (ts, user_n, batch, id, project, name, properties)
		SELECT $1, 900, 1, gen_random_uuid(), 1, 1, jsonb_build_object('x', repeat('x', 20000))::text FROM generate_series(1, 3000)`, at)
}

// untilFree waits until no export runs.
func (p *platform) untilFree(key string) {
	p.t.Helper()
	platformtest.Eventually(p.t, time.Minute, "no export runs", func() bool {
		other := p.export("/refunds/export?day=2026-03-14", key, "text/csv")
		defer other.Body.Close()
		return other.StatusCode == http.StatusOK
	})
}

// A reader that takes nothing is ended, and cannot mistake what it got for all rows. Then others can export.
func TestSlowReadersOfExportsAreEnded(t *testing.T) {
	t.Parallel()
	p := start(t, func(cfg *ingest.Config) { cfg.Exports, cfg.ExportStall = 1, 100*time.Millisecond })
	at, read := time.Now().UTC().AddDate(0, 0, -1), p.apiKey("read")
	p.fat(at)
	path := "/events/export?day=" + at.Format(time.DateOnly)
	slow := p.export(path, read, "text/csv")
	defer slow.Body.Close()
	p.untilFree(read)
	if n, err := io.Copy(io.Discard, slow.Body); err == nil {
		t.Errorf("the export seems to be complete after %d bytes", n)
	}
}

// Only so many exports run at a time. One ends with its client.
func TestExportsAtTheSameTimeAreBounded(t *testing.T) {
	t.Parallel()
	p := start(t, func(cfg *ingest.Config) { cfg.Exports, cfg.ExportStall = 1, time.Hour })
	at, read := time.Now().UTC().AddDate(0, 0, -1), p.apiKey("read")
	p.fat(at)
	path := "/events/export?day=" + at.Format(time.DateOnly)
	first := p.export(path, read, "text/csv")
	a := p.get(path, read)
	a.expect(t, http.StatusServiceUnavailable, "too_many_exports")
	if a.header.Get("Retry-After") != "10" {
		t.Errorf("Retry-After is %q", a.header.Get("Retry-After"))
	}
	first.Body.Close()
	p.untilFree(read)
}

// An export that gets no place takes nothing of the quota.
func TestExportsWithoutAPlaceAreFree(t *testing.T) {
	t.Parallel()
	p := start(t, func(cfg *ingest.Config) {
		cfg.Exports, cfg.ExportStall, cfg.HistoryLimit, cfg.RateWindow = 1, time.Hour, 50, time.Hour
	})
	at, admin := time.Now().UTC().AddDate(0, 0, -1), p.apiKey("admin")
	p.fat(at)
	path := "/events/export?day=" + at.Format(time.DateOnly)
	first := p.export(path, admin, "text/csv")
	defer first.Body.Close()
	for range 4 {
		for _, refused := range []string{path, "/users/fat/export"} {
			a := p.get(refused, admin)
			a.expect(t, http.StatusServiceUnavailable, "too_many_exports")
			if policy := a.header.Get("RateLimit-Policy"); policy != "" {
				t.Errorf("%s: the answer describes the quota before: %s", refused, policy)
			}
		}
	}
}

// An export that takes too long is ended within a row, not answered as if it were complete.
func TestExportsAreBoundedInTime(t *testing.T) {
	t.Parallel()
	p := start(t, func(cfg *ingest.Config) { cfg.Exports, cfg.ExportTimeout, cfg.ExportStall = 1, time.Second, time.Hour })
	at, read := time.Now().UTC().AddDate(0, 0, -1), p.apiKey("read")
	p.fat(at)
	response := p.export("/events/export?day="+at.Format(time.DateOnly), read, "application/x-ndjson")
	defer response.Body.Close()
	p.untilFree(read)
	_, err := io.Copy(io.Discard, response.Body)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the export ended with %v", err)
	}
}

// examples are the requests of the documentation to a part of the platform.
var examples = regexp.MustCompile(`curl .*"\$API(/(?:events|orders|refunds|users|exports)[^"]*)"`)

// The examples of the documentation work, the one that goes on after a break included.
func TestExamplesOfTheDocumentation(t *testing.T) {
	t.Parallel()
	p := start(t)
	text, err := os.ReadFile("../../docs/export.md")
	if err != nil {
		t.Fatal(err)
	}
	day := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	p.fat(day)
	read := p.apiKey("read")
	first := p.export("/events/export?day=2026-03-14", read, "*/*")
	last := regexp.MustCompile(`.*"cursor":"([^"]*)".*`).FindStringSubmatch(readLine(t, first.Body)) // what the example does with sed
	first.Body.Close()
	tried := 0
	for _, example := range examples.FindAllStringSubmatch(string(text), -1) {
		path := strings.ReplaceAll(example[1], "$LAST", last[1])
		if strings.HasPrefix(path, "/analytics") {
			continue
		}
		tried++
		accept := "*/*"
		if strings.Contains(example[0], "Accept: text/csv") {
			accept = "text/csv"
		}
		response := p.export(path, read, accept)
		if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusOK {
			t.Errorf("%s: %d, %v", example[0], response.StatusCode, err)
		}
		response.Body.Close()
	}
	if tried != 8 {
		t.Errorf("%d examples were tried", tried)
	}
}

func readLine(t *testing.T, from io.Reader) string {
	t.Helper()
	line, err := bufio.NewReader(from).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return line
}
