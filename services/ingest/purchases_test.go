package ingest_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/services/ingest"
)

const twoShoes = `{"sku":"SHOE","quantity":2,"user_id":"customer-17"}`

func TestAPurchaseIsStored(t *testing.T) {
	t.Parallel()
	p := start(t)
	id, ts := uuid.NewString(), ago(26*time.Hour)
	a := p.post("/purchases", p.ingestKey, `{"id":"`+id+`","ts":"`+ts+`","sku":"SHOE","quantity":2,"user_id":"customer-17","currency":"EUR"}`)
	a.expect(t, http.StatusCreated, "")
	want := map[string]any{
		"id": id, "number": nil, "product_id": shoeID, "sku": "SHOE", "user_id": "customer-17", "anonymous_id": nil, "quantity": 2.0, "amount_minor": 25800.0, "currency": "EUR",
		"batch_id": a.object["batch_id"], "ts": a.object["ts"], "received_at": a.object["received_at"],
	}
	if diff := cmp.Diff(want, a.object); diff != "" {
		t.Errorf("purchase (-want +got):\n%s", diff)
	}
	if a.header.Get("Idempotency-Replayed") != "" {
		t.Error("a first purchase is said to be replayed")
	}
	if n := p.count(`SELECT count(*) FROM ingest.orders o JOIN ingest.order_lines l ON l.project = o.project AND l.order_id = o.id
		JOIN ingest.users u ON u.n = o.user_n JOIN catalog.products p ON p.n = l.product JOIN ingest.batches b ON b.id = o.batch AND b.project = o.project
		WHERE o.project = 1 AND o.id = $1 AND o.ts = date_trunc('microseconds', $2::timestamptz) AND l.ts = o.ts AND p.id = $3 AND quantity = 2
		AND amount_minor = 25800 AND o.currency = 'EUR' AND o.lines = 1 AND l.line = 1 AND number IS NULL AND u.id = 'customer-17' AND u.first_seen = o.ts
		AND b.id::text = $4 AND b.kind = 'orders' AND b.rows = 1 AND b.min_ts = o.ts AND b.max_ts = o.ts AND b.aggregated_at IS NULL`,
		id, a.string("ts"), shoeID, a.string("batch_id")); n != 1 {
		t.Errorf("%d such rows, want 1", n)
	}
	receipt := p.get("/events/batches/"+a.string("batch_id"), p.ingestKey)
	if receipt.number("events") != 1 || receipt.string("state") != "stored" {
		t.Errorf("receipt %v", receipt.object)
	}
}

func TestAPurchaseByAUser(t *testing.T) {
	t.Parallel()
	p := start(t)
	alice := p.auth.Token(authn.User, aliceID)
	for body, amount := range map[string]int{
		`{"sku":"SHOE","quantity":1}`:                      12900,
		`{"sku":"SHOE","quantity":2,"amount_minor":25800}`: 25800, // what the catalog says
	} {
		a := p.post("/purchases", alice, body)
		a.expect(t, http.StatusCreated, "")
		if a.string("user_id") != aliceID || a.number("amount_minor") != amount {
			t.Errorf("%s: got %v", body, a.object)
		}
	}
	for _, amount := range []string{"0", "1", "12901"} { // another price is for those who run the shop
		body := `{"sku":"SHOE","quantity":1,"amount_minor":` + amount + `}`
		refused := p.post("/purchases", alice, body)
		refused.expect(t, http.StatusUnprocessableEntity, "validation_failed")
		if diff := cmp.Diff([]string{"/amount_minor price_forbidden"}, refused.problems()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", body, diff)
		}
		analyst := p.post("/purchases", p.auth.Token(authn.Analyst, carolID), body)
		if diff := cmp.Diff([]string{"/amount_minor price_forbidden"}, analyst.problems()); diff != "" {
			t.Errorf("an analyst: %s (-want +got):\n%s", body, diff)
		}
		p.post("/purchases", p.auth.Token(authn.Admin, bobID), body).expect(t, http.StatusCreated, "")
	}
	p.post("/purchases", alice, `{"sku":"SHOE","quantity":1,"user_id":"`+bobID+`"}`).expect(t, http.StatusUnprocessableEntity, "validation_failed")
}

func TestBadPurchases(t *testing.T) {
	t.Parallel()
	p := start(t)
	for name, tc := range map[string]struct {
		body   string
		status int
		code   string
		errors []string
	}{
		"malformed":       {body: `{`, status: 400, code: "malformed_json"},
		"unknown field":   {body: `{"type":"view",` + twoShoes[1:], status: 422, code: "validation_failed", errors: []string{"/type unknown_field"}},
		"no quantity":     {body: `{"sku":"SHOE","user_id":"u"}`, status: 422, code: "validation_failed", errors: []string{"/quantity required"}},
		"fraction":        {body: `{"sku":"SHOE","user_id":"u","quantity":1.5}`, status: 422, code: "validation_failed", errors: []string{"/quantity wrong_type"}},
		"none":            {body: `{"sku":"SHOE","user_id":"u","quantity":0}`, status: 422, code: "validation_failed", errors: []string{"/quantity invalid_value"}},
		"negative amount": {body: `{"amount_minor":-1,` + twoShoes[1:], status: 422, code: "validation_failed", errors: []string{"/amount_minor invalid_value"}},
		"no price":        {body: `{"currency":"USD",` + twoShoes[1:], status: 422, code: "validation_failed", errors: []string{"/amount_minor no_price"}},
		"no currency":     {body: `{"currency":"ZZZ","amount_minor":1,` + twoShoes[1:], status: 422, code: "validation_failed", errors: []string{"/currency invalid_value"}},
		"no product":      {body: `{"user_id":"u","quantity":1}`, status: 422, code: "validation_failed", errors: []string{"/product_id product_required"}},
		"two products":    {body: `{"product_id":"` + shoeID + `",` + twoShoes[1:], status: 422, code: "validation_failed", errors: []string{"/sku product_ambiguous"}},
		"nobody":          {body: `{"sku":"SHOE","quantity":1}`, status: 422, code: "validation_failed", errors: []string{"/user_id user_id_required"}},
		"too expensive":   {body: `{"sku":"SHOE","quantity":100000000,"user_id":"u"}`, status: 422, code: "validation_failed", errors: []string{"/quantity invalid_value"}},
		"unknown product": {body: `{"sku":"NONE","user_id":"u","quantity":1}`, status: 422, code: "validation_failed", errors: []string{"/sku unknown_product"}},
		"too large":       {body: `{"x":"` + strings.Repeat("x", 33<<10) + `"}`, status: 413, code: "body_too_large"},
	} {
		a := p.post("/purchases", p.ingestKey, tc.body)
		a.expect(t, tc.status, tc.code)
		if diff := cmp.Diff(tc.errors, a.problems()); diff != "" {
			t.Errorf("%s: errors (-want +got):\n%s", name, diff)
		}
	}
	if n := p.count(`SELECT count(*) FROM ingest.orders`); n != 0 {
		t.Errorf("%d rows are stored", n)
	}
}

func TestTheSamePurchaseAgain(t *testing.T) {
	t.Parallel()
	p := start(t)
	id := v7(time.Now()).String()
	body := func(user string) string {
		return `{"id":"` + id + `","sku":"SHOE","quantity":2,"user_id":"` + user + `"}`
	}
	first, again := p.post("/purchases", p.ingestKey, body("u1")), p.post("/purchases", p.ingestKey, body("u1"))
	again.expect(t, http.StatusCreated, "")
	if diff := cmp.Diff(first.object, again.object); diff != "" || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("the second answer differs (-first +again), header %v:\n%s", again.header, diff)
	}
	p.post("/purchases", p.ingestKey, body("u2")).expect(t, http.StatusConflict, "conflict")
	if n := p.count(`SELECT count(*) + (SELECT count(*) FROM ingest.batches) FROM ingest.orders`); n != 2 {
		t.Errorf("%d rows and batches, want one of each", n)
	}
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	p := start(t)
	key := []string{"Idempotency-Key", "order-2026-000173"}
	first := p.post("/purchases", p.ingestKey, twoShoes, key...)
	first.expect(t, http.StatusCreated, "")

	// The replay does not depend on how things are now.
	p.exec(`UPDATE catalog.products SET sku = 'BOOT', price_minor = 1 WHERE sku = 'SHOE'`)
	again := p.post("/purchases", p.ingestKey, twoShoes, key...)
	again.expect(t, http.StatusCreated, "")
	first.object["sku"] = "BOOT" // that of today, as of orders
	if diff := cmp.Diff(first.object, again.object); diff != "" || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("the second answer differs (-first +again), header %v:\n%s", again.header, diff)
	}
	compressed := p.send(http.MethodPost, "/purchases", p.ingestKey, gzipped(t, twoShoes), append(key, "Content-Encoding", "gzip")...)
	if compressed.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("the same body, compressed: %d %v", compressed.status, compressed.object)
	}
	p.exec(`UPDATE catalog.products SET sku = 'SHOE' WHERE sku = 'BOOT'`)

	p.post("/purchases", p.ingestKey, strings.Replace(twoShoes, "2", "3", 1), key...).expect(t, http.StatusUnprocessableEntity, "idempotency_key_reused")
	p.post("/purchases", p.ingestKey, twoShoes, "Idempotency-Key", "order-2026-000174").expect(t, http.StatusCreated, "")
	if n := p.count(`SELECT count(*) FROM ingest.orders`); n != 2 {
		t.Errorf("%d purchases, want one for each key", n)
	}
	// All keys of a project share their Idempotency-Keys. A user who is no member has his own.
	if other := p.post("/purchases", p.apiKey("ingest"), twoShoes, key...); other.string("id") != first.string("id") {
		t.Errorf("another key of the project: %v", other.object)
	}
}

func TestARefusedPurchaseDoesNotUseItsKey(t *testing.T) {
	t.Parallel()
	p := start(t)
	key := []string{"Idempotency-Key", "order-1"}
	p.post("/purchases", p.ingestKey, `{"sku":"NONE","quantity":1,"user_id":"u"}`, key...).expect(t, http.StatusUnprocessableEntity, "validation_failed")
	p.post("/purchases", p.ingestKey, twoShoes, key...).expect(t, http.StatusCreated, "")
}

func TestAKeyForAPurchaseThatIsStored(t *testing.T) {
	t.Parallel()
	p := start(t)
	body := `{"id":"` + v7(time.Now()).String() + `",` + twoShoes[1:]
	first := p.post("/purchases", p.ingestKey, body)
	for range 2 {
		again := p.post("/purchases", p.ingestKey, body, "Idempotency-Key", "order-1")
		if diff := cmp.Diff(first.object, again.object); diff != "" {
			t.Errorf("with a key (-without +with):\n%s", diff)
		}
	}
}

func TestBadIdempotencyKeys(t *testing.T) {
	t.Parallel()
	p := start(t)
	for _, header := range [][]string{
		{"Idempotency-Key", ""},
		{"Idempotency-Key", "order 1"},
		{"Idempotency-Key", "ordér"},
		{"Idempotency-Key", strings.Repeat("x", 256)},
		{"Idempotency-Key", "a", "Idempotency-Key", "b"},
	} {
		a := p.post("/purchases", p.ingestKey, twoShoes, header...)
		a.expect(t, http.StatusUnprocessableEntity, "validation_failed")
		if diff := cmp.Diff([]string{"/header/Idempotency-Key invalid_value"}, a.problems()); diff != "" {
			t.Errorf("%q: errors (-want +got):\n%s", header, diff)
		}
	}
	p.post("/purchases", p.ingestKey, twoShoes, "Idempotency-Key", strings.Repeat("x", 255)).expect(t, http.StatusCreated, "")
}

// TestConcurrentRequestsWithOneKey lets many requests race: one stores the purchase, the others repeat its answer or are
// told to come again.
func TestConcurrentRequestsWithOneKey(t *testing.T) {
	t.Parallel()
	p := start(t)
	const clients = 24
	answers := make(chan string, clients)
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			a, err := p.try(http.MethodPost, "/purchases", p.ingestKey, []byte(twoShoes), "Idempotency-Key", "order-1")
			answers <- fmt.Sprint(a.status, " ", a.string("code"), a.header.Get("Idempotency-Replayed"), err)
		})
	}
	wg.Wait()
	close(answers)
	seen := map[string]int{}
	for a := range answers {
		seen[a]++
	}
	first, replayed, inFlight := seen["201 <nil>"], seen["201 true<nil>"], seen["409 idempotency_key_in_flight<nil>"]
	if first != 1 || first+replayed+inFlight != clients {
		t.Errorf("answers %v, want one first and only repetitions and conflicts beside it", seen)
	}
	if n := p.count(`SELECT count(*) FROM ingest.orders`); n != 1 {
		t.Errorf("%d purchases, want 1", n)
	}
}

// TestAKeyInFlight holds the first request of a key in the middle of its transaction.
func TestAKeyInFlight(t *testing.T) {
	t.Parallel()
	p := start(t, func(cfg *ingest.Config) { cfg.LockTimeout = time.Minute })
	id, ts := uuid.New(), time.Now().UTC().Truncate(time.Microsecond)
	body := `{"id":"` + id.String() + `","ts":"` + ts.Format(time.RFC3339Nano) + `",` + twoShoes[1:]
	tx, err := p.db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// An uncommitted row of the same id makes the insert wait.
	if _, err := tx.Exec(t.Context(), `INSERT INTO ingest.orders (project, id, ts, user_n, batch, lines, currency, content_hash)
		VALUES (1, $1, $2, 1, 1, 1, 'EUR', '')`, id, ts); err != nil {
		t.Fatal(err)
	}
	first := make(chan answer, 1)
	go func() {
		a, err := p.try(http.MethodPost, "/purchases", p.ingestKey, []byte(body), "Idempotency-Key", "order-1")
		if err != nil {
			t.Errorf("first: %v", err)
		}
		first <- a
	}()
	// Postgres shows the first kilobyte of a statement.
	platformtest.Eventually(t, time.Minute, "the first request waits", func() bool {
		return p.count(`SELECT count(*) FROM pg_stat_activity
			WHERE wait_event_type = 'Lock' AND query LIKE '%moment AS MATERIALIZED%' AND datname = current_database()`) > 0
	})
	second := p.post("/purchases", p.ingestKey, body, "Idempotency-Key", "order-1")
	second.expect(t, http.StatusConflict, "idempotency_key_in_flight")
	if second.header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After of a key in flight: %v", second.header)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	(<-first).expect(t, http.StatusCreated, "")
	third := p.post("/purchases", p.ingestKey, body, "Idempotency-Key", "order-1")
	if third.status != http.StatusCreated || third.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("after the first was answered: %d %v", third.status, third.object)
	}
}
