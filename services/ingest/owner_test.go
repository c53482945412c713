package ingest_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// keyOf makes an API key that acts for an account.
func (p *platform) keyOf(account string) string {
	p.t.Helper()
	key := p.apiKey("ingest")
	p.exec(`UPDATE auth.api_keys SET owner = $1 WHERE created_at = (SELECT max(created_at) FROM auth.api_keys)`, account)
	return key
}

// TestEachAccountHasItsOwnIDs sends the same ids and times with keys of two accounts, one of which has two keys.
func TestEachAccountHasItsOwnIDs(t *testing.T) {
	t.Parallel()
	p := start(t)
	shop, shopToo, other := p.keyOf(aliceID), p.keyOf(aliceID), p.keyOf(bobID)
	ts := time.Now().UTC().Format(time.RFC3339)
	item := func(fields string) (body string) {
		return fmt.Sprintf(`{"id":"%s","ts":"%s","sku":"SHOE","user_id":"customer-17",%s}`, uuid.New(), ts, fields)
	}
	single, purchase := item(`"type":"view"`), item(`"quantity":2`)
	for i, want := range []struct {
		key, status string
		replayed    bool
	}{{other, "accepted", false}, {shop, "accepted", false}, {shopToo, "duplicate", true}, {other, "duplicate", true}} {
		a := p.post("/events", want.key, single)
		a.expect(t, http.StatusAccepted, "")
		if a.string("status") != want.status {
			t.Errorf("event %d: got %s, want %s", i, a.string("status"), want.status)
		}
		a = p.post("/purchases", want.key, purchase)
		a.expect(t, http.StatusCreated, "")
		if replayed := a.header.Get("Idempotency-Replayed") == "true"; replayed != want.replayed {
			t.Errorf("purchase %d: replayed is %t", i, replayed)
		}
	}
	var batch []string
	for range 300 {
		batch = append(batch, item(`"type":"view"`))
	}
	p.post("/events/bulk", other, bulk(batch...)).expectBulk(t, 300, 0)
	p.post("/events/bulk", shop, bulk(batch...)).expectBulk(t, 300, 0)
	p.post("/events/bulk", shopToo, bulk(batch...)).expectBulk(t, 0, 300)
	if events, purchases := p.count(`SELECT count(*) FROM ingest.events`), p.count(`SELECT count(*) FROM ingest.orders`); events != 602 || purchases != 2 {
		t.Errorf("%d events and %d purchases are stored, want 602 and 2", events, purchases)
	}
}

// TestIdempotencyKeysAreOfAnAccount repeats a purchase with another key of the same account, and with one of another account.
func TestIdempotencyKeysAreOfAnAccount(t *testing.T) {
	t.Parallel()
	p := start(t)
	first := p.post("/purchases", p.keyOf(aliceID), twoShoes, "Idempotency-Key", "order-1")
	again := p.post("/purchases", p.keyOf(aliceID), twoShoes, "Idempotency-Key", "order-1")
	foreign := p.post("/purchases", p.keyOf(bobID), strings.ReplaceAll(twoShoes, "17", "18"), "Idempotency-Key", "order-1")
	for _, a := range []answer{first, again, foreign} {
		a.expect(t, http.StatusCreated, "")
	}
	if first.string("id") != again.string("id") || first.string("id") == foreign.string("id") {
		t.Errorf("got %s, again %s, another account's %s", first.string("id"), again.string("id"), foreign.string("id"))
	}
}
