package ingest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/protocol/erased"
	"github.com/hp-analytics/hp-analytics/internal/protocol/exported"
	"github.com/hp-analytics/hp-analytics/services/ingest"
)

// userExport exports a user, verifies the export, and returns its lines by their kinds.
func (p *platform) userExport(path, key string) (map[string][]map[string]any, exported.Receipt) {
	p.t.Helper()
	response := p.export("/users/"+path, key, "*/*")
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		p.t.Fatalf("%d, %v: %s", response.StatusCode, err, content)
	}
	receipt, err := exported.Verify(bytes.NewReader(content))
	if err != nil {
		p.t.Fatalf("%v:\n%s", err, content)
	}
	lines := map[string][]map[string]any{}
	for _, line := range p.lines(bytes.NewReader(content), 1<<30) {
		kind := fmt.Sprint(line["kind"])
		of, ok := line[kind].(map[string]any)
		if !ok || len(line) != 2 {
			p.t.Fatalf("a line of kind %s has %v", kind, line)
		}
		lines[kind] = append(lines[kind], of)
	}
	return lines, receipt
}

// fill stores one of everything for customer-17 and the visitor who is identified as it, with marks that tell projects apart.
func (p *platform) fill(key, mark string, project int16) {
	p.t.Helper()
	at := time.Now().UTC().AddDate(0, 0, -1).Truncate(24 * time.Hour).Add(9 * time.Hour)
	item := func(minute int, rest string) string {
		return fmt.Sprintf(`{"ts":"%s","properties":{"mark":%q,"n":%d},%s}`, at.Add(time.Duration(minute)*time.Minute).Format(time.RFC3339), mark, minute, rest)
	}
	p.post("/events/bulk", key, bulk(item(0, `"type":"Signed Up","anonymous_id":"visitor"`))).expectBulk(p.t, 1, 0)
	p.post("/events/bulk", key, bulk(
		item(1, `"type":"identify","anonymous_id":"visitor","user_id":"customer-17"`), item(2, `"type":"view","sku":"SHOE","user_id":"customer-17"`),
		item(3, `"type":"view","sku":"SHOE","user_id":"somebody-else"`), item(4, `"type":"view","user_id":"visitor"`),
	)).expectBulk(p.t, 4, 0)
	order := fmt.Sprintf(`{"id":"o-%[1]s","user_id":%%q,"currency":"EUR","properties":{"mark":%[1]q},"lines":[{"sku":"SHOE","quantity":2,"amount_minor":2000},{"sku":"SHOE","quantity":1,"amount_minor":500}]}`, mark)
	p.post("/orders", key, fmt.Sprintf(order, "customer-17")).expect(p.t, http.StatusCreated, "")
	p.post("/orders", key, strings.Replace(fmt.Sprintf(order, "somebody-else"), "o-", "x-", 1)).expect(p.t, http.StatusCreated, "")
	p.post("/orders/o-"+mark+"/refunds", key, `{"id":"r","reason":"`+mark+`","lines":[{"line":1,"quantity":1}]}`).expect(p.t, http.StatusCreated, "")
	p.post("/refunds", key, `{"id":"l","reason":"`+mark+`","user_id":"customer-17","currency":"EUR","lines":[{"sku":"SHOE","quantity":1,"amount_minor":100}]}`).expect(p.t, http.StatusCreated, "")
	// What the aggregator counts, in two lanes.
	p.exec(`INSERT INTO stats.user_daily_stats (project, user_n, day, lane, events, views)
		SELECT project, n, $2::date, lane, n + lane, 1 FROM ingest.users, generate_series(0, 1) AS lane WHERE project = $1`, project, at)
	p.exec(`INSERT INTO stats.user_daily_revenue (project, user_n, day, currency, lane, gross_minor, refunded_minor, orders, units, refunded_units)
		SELECT project, n, $2::date, 'EUR', lane, n, 7, 1, 3, 1 FROM ingest.users, generate_series(0, 1) AS lane WHERE project = $1 AND id = 'customer-17'`, project, at)
}

// ofPerson are the numbers of the user id and its visitor in the default project.
const ofPerson = `(SELECT array_agg(n) FROM ingest.users WHERE project = 1 AND (id = 'customer-17' OR id = 'visitor' AND anonymous))::bigint[]`

// A person who has everything is exported as it is stored, by whichever of its ids, and nothing of others and of other projects is.
func TestExportOfAUser(t *testing.T) {
	t.Parallel()
	p := start(t)
	owner := p.apiKey("admin")
	p.exec(`UPDATE catalog.products SET status = 'active'`)
	p.fill(p.ingestKey, "mine", 1)
	other, project := p.projectKey("other")
	p.fill(other, "foreign", project)

	lines, receipt := p.userExport("customer-17/export", owner)
	stored := map[string]string{
		"event":  `SELECT count(*) FROM ingest.events WHERE user_n = ANY (` + ofPerson + `)`,
		"order":  `SELECT count(*) FROM ingest.orders WHERE user_n = ANY (` + ofPerson + `)`,
		"refund": `SELECT count(*) FROM ingest.refunds WHERE user_n = ANY (` + ofPerson + `)`,
		"day":    `SELECT count(*) FROM stats.user_daily WHERE user_n = ANY (` + ofPerson + `)`,
		"money":  `SELECT count(*) FROM stats.user_daily_money WHERE user_n = ANY (` + ofPerson + `)`,
	}
	want := map[string]int{"user": 2, "event": 3, "order": 1, "refund": 2, "day": 2, "money": 1, "receipt": 1, "left_out": len(lines["left_out"])}
	got := map[string]int{}
	for kind, all := range lines {
		got[kind] = len(all)
		if query, ok := stored[kind]; ok && p.count(query) != len(all) {
			t.Errorf("%d lines of kind %s for %d rows", len(all), kind, p.count(query))
		}
		if kind != "receipt" && receipt.Counts[exported.Kind(kind)] != int64(len(all)) {
			t.Errorf("the receipt counts %d of kind %s, there are %d", receipt.Counts[exported.Kind(kind)], kind, len(all))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("lines by kind (-want +got):\n%s", diff)
	}
	text, err := json.Marshal(lines)
	if err != nil {
		t.Fatal(err)
	}
	for _, foreign := range []string{"foreign", "somebody-else", fmt.Sprint(p.stored(`SELECT id FROM catalog.products WHERE project <> 1`)[0]["id"])} {
		if bytes.Contains(text, []byte(foreign)) {
			t.Errorf("the export has %s", foreign)
		}
	}
	visitor := lines["user"][1]
	if lines["user"][0]["user_id"] != "customer-17" || visitor["anonymous_id"] != "visitor" || visitor["identified_at"] == nil || visitor["first_seen"] == nil {
		t.Errorf("the ids are %v", lines["user"])
	}
	if e := lines["event"]; e[0]["type"] != "identify" || e[1]["type"] != "view" || e[2]["type"] != "Signed Up" || e[2]["anonymous_id"] != "visitor" ||
		fmt.Sprint(e[2]["properties"]) != "map[mark:mine n:0]" {
		t.Errorf("not by id and time: %v", e)
	}
	if o := lines["order"][0]; len(o["lines"].([]any)) != 2 || fmt.Sprint(o["properties"]) != "map[mark:mine]" {
		t.Errorf("the order is %v", o)
	}
	if r := lines["refund"][0]; r["reason"] != "mine" || len(r["lines"].([]any)) != 1 {
		t.Errorf("the refund is %v", r)
	}
	n := p.count(`SELECT n FROM ingest.users WHERE project = 1 AND id = 'customer-17'`)
	if d := lines["day"][1]; d["user_id"] != "customer-17" || d["events"] != float64(2*n+1) || d["views"] != 2.0 {
		t.Errorf("the day is %v", d)
	}
	if m := lines["money"][0]; m["currency"] != "EUR" || m["gross_minor"] != float64(2*n) || m["refunded_minor"] != 14.0 || m["units"] != 6.0 {
		t.Errorf("the money is %v", m)
	}
	for _, path := range []string{"customer-17/export?kind=user_id", "visitor/export?kind=anonymous_id"} {
		again, _ := p.userExport(path, owner)
		delete(again, "receipt")
		delete(lines, "receipt")
		if diff := cmp.Diff(lines, again); diff != "" {
			t.Errorf("%s (-customer-17 +same):\n%s", path, diff)
		}
	}
	if other, _ := p.userExport("visitor/export", owner); len(other["user"]) != 1 || other["user"][0]["user_id"] != "visitor" || len(other["event"]) != 1 {
		t.Errorf("the user whose id is that of the visitor: %v", other)
	}
}

// The receipt of an export is kept for the owners of its project. Neither it nor the audit log names the user.
func TestReceiptsOfExports(t *testing.T) {
	t.Parallel()
	p := start(t)
	owner := p.apiKey("admin")
	p.use("1")
	_, first := p.userExport("customer-17/export", owner)
	_, last := p.userExport("visitor/export", owner)
	kept := p.get("/exports/"+first.ID.String(), owner)
	kept.expect(t, http.StatusOK, "")
	if kept.string("sha256") != first.SHA256 || kept.number("lines") != int(first.Lines) || kept.string("requested_by") != first.RequestedBy ||
		kept.string("snapshot_at") != first.SnapshotAt.Format(time.RFC3339Nano) || kept.string("finished_at") == "" {
		t.Errorf("kept: %v, in the file: %+v", kept.object, first)
	}
	page := p.get("/exports?limit=1", owner)
	rest := p.get("/exports?limit=1&cursor="+page.string("next_cursor"), owner)
	if page.items()[0]["id"] != last.ID.String() || rest.items()[0]["id"] != first.ID.String() || rest.object["next_cursor"] != nil {
		t.Errorf("pages: %v and %v", page.object, rest.object)
	}
	if n := p.count(`SELECT count(*) FROM audit.log WHERE action = 'user.exported' AND subject LIKE 'export:%' AND project = 1 AND NOT to_jsonb(log)::text ~ 'customer-17|visitor'`); n != 2 {
		t.Errorf("the audit log has %d entries, want 2", n)
	}
	other, project := p.projectKey("other")
	p.exec(`UPDATE auth.api_keys SET scopes = '{admin}' WHERE project = $1`, project)
	p.get("/exports/"+first.ID.String(), other).expect(t, http.StatusNotFound, "not_found")
	p.get("/users/customer-17/export", other).expect(t, http.StatusNotFound, "not_found")
	p.get("/users/nobody/export", owner).expect(t, http.StatusNotFound, "not_found")
	p.get("/users/customer-17/export?kind=anonymous_id", owner).expect(t, http.StatusNotFound, "not_found")
	for _, path := range []string{"/users/customer-17/export", "/exports", "/exports/" + first.ID.String()} {
		for _, scope := range []string{"ingest", "read"} {
			p.get(path, p.apiKey(scope)).expect(t, http.StatusForbidden, "forbidden")
		}
	}
	if a := p.send(http.MethodHead, "/users/customer-17/export", owner, nil); a.status != http.StatusOK {
		t.Errorf("HEAD is answered with %d", a.status)
	}
	if n := p.count(`SELECT count(*) FROM ingest.exports`); n != 2 {
		t.Errorf("%d receipts are kept, want 2", n)
	}
}

// An id whose erasure waits is exported with everything; one that was erased has the receipt of that, and what it has done since.
func TestExportOfAnErasedUser(t *testing.T) {
	t.Parallel()
	p := start(t)
	owner := p.apiKey("admin")
	p.use("1")
	id := p.send(http.MethodDelete, "/users/customer-17", owner, nil).string("id")
	lines, _ := p.userExport("customer-17/export", owner)
	if len(lines["user"]) != 2 || len(lines["event"]) == 0 || len(lines["erasure"]) != 1 || lines["erasure"][0]["state"] != "waiting" {
		t.Errorf("while the erasure waits: %v", lines)
	}
	var salt []byte
	if err := p.db.QueryRow(t.Context(), `SELECT salt FROM ingest.erasures`).Scan(&salt); err != nil {
		t.Fatal(err)
	}
	p.exec(`INSERT INTO ingest.erased_users (project, n, erasure, digest, anonymous) VALUES (1, 1, $1, $2, false), (1, 2, $1, $3, true)`,
		id, erased.Digest(salt, false, "customer-17"), erased.Digest(salt, true, "visitor"))
	p.leave()
	p.exec(`UPDATE ingest.erasures SET state = 'done', phase = 'done', subject = NULL, epoch = 1, started_at = now(), finished_at = now(), removed = '{"ingest.users": 2}'`)
	for _, path := range []string{"customer-17/export", "visitor/export", "visitor/export?kind=anonymous_id"} {
		lines, _ := p.userExport(path, owner)
		if len(lines) != 3 || len(lines["erasure"]) != 1 || lines["erasure"][0]["id"] != id || lines["erasure"][0]["finished_at"] == nil {
			t.Errorf("%s of a user who was erased: %v", path, lines)
		}
	}
	p.get("/users/visitor/export?kind=user_id", owner).expect(t, http.StatusNotFound, "not_found")
	other, project := p.projectKey("other")
	p.exec(`UPDATE auth.api_keys SET scopes = '{admin}' WHERE project = $1`, project)
	p.get("/users/customer-17/export", other).expect(t, http.StatusNotFound, "not_found")
	p.post("/events", p.ingestKey, view("")).expect(t, http.StatusAccepted, "")
	lines, _ = p.userExport("customer-17/export", owner)
	if len(lines["user"]) != 1 || len(lines["event"]) != 1 || len(lines["erasure"]) != 1 {
		t.Errorf("after the id was used again: %v", lines)
	}
}

// An export that is cut has no receipt, in the file and in the list.
func TestExportThatIsCut(t *testing.T) {
	t.Parallel()
	p := start(t, func(cfg *ingest.Config) { cfg.Exports, cfg.ExportStall = 1, 100*time.Millisecond })
	p.fat(time.Now().UTC().AddDate(0, 0, -1))
	owner := p.apiKey("admin")
	slow := p.export("/users/fat/export", owner, "*/*")
	defer slow.Body.Close()
	p.untilFree(p.apiKey("read"))
	content, err := io.ReadAll(slow.Body)
	if err == nil {
		t.Error("the export seems to be complete")
	}
	if _, err := exported.Verify(bytes.NewReader(content)); !errors.Is(err, exported.ErrCut) {
		t.Errorf("the file is verified: %v", err)
	}
	if all := p.get("/exports", owner).items(); len(all) != 1 || all[0]["finished_at"] != nil || all[0]["sha256"] != nil {
		t.Errorf("the receipts are %v", all)
	}
}
