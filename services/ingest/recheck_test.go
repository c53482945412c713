package ingest_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
)

// noticed is how soon the end of a key has to count here, whatever is remembered in between.
const noticed = 5 * time.Second

// TestArchivedProductsCount archives a product that the service has just used, on both ways of naming it.
func TestArchivedProductsCount(t *testing.T) {
	t.Parallel()
	p := start(t)
	byID := `{"type":"view","product_id":"` + shoeID + `","user_id":"customer-17"}`
	p.post("/events/bulk", p.ingestKey, bulk(view(""), byID)).expectBulk(t, 2, 0)
	p.exec(`UPDATE catalog.products SET status = 'archived' WHERE id = $1`, shoeID)
	p.post("/events/bulk", p.ingestKey, bulk(view(""), byID)).expectBulk(t, 2, 0)
}

// TestASKUThatMoves gives the SKU of a product that the service has just used to another product, and then to none.
func TestASKUThatMoves(t *testing.T) {
	t.Parallel()
	p := start(t)
	const rename = `UPDATE catalog.products SET sku = $2 WHERE id = $1`
	p.post("/events", p.ingestKey, view("")).expect(t, http.StatusAccepted, "")
	p.exec(rename, shoeID, "BOOT")
	p.exec(rename, hatID, "SHOE")
	moved := p.post("/events", p.ingestKey, view(""))
	if n := p.count(`SELECT count(*) FROM ingest.events AS e JOIN catalog.products AS p ON p.n = e.product WHERE e.id = $1 AND p.id = $2`, moved.string("id"), hatID); n != 1 {
		t.Errorf("%v is not an event of the new product", moved.object)
	}
	p.exec(rename, hatID, "HAT")
	p.post("/events", p.ingestKey, view("")).expect(t, http.StatusUnprocessableEntity, "validation_failed")
	p.exec(rename, shoeID, "SHOE")
	p.post("/events", p.ingestKey, view("")).expect(t, http.StatusAccepted, "")
}

// TestARevokedKeyIsRefused revokes a key that the service has just used, while it is in use.
func TestARevokedKeyIsRefused(t *testing.T) {
	t.Parallel()
	p := start(t)
	key := p.apiKey("ingest")
	p.post("/events", key, view("")).expect(t, http.StatusAccepted, "")
	p.exec(`UPDATE auth.api_keys SET revoked_at = now() WHERE key_hash = $1`, authn.HashKey(key))
	platformtest.Eventually(t, noticed, "the key is refused", func() bool {
		return p.post("/events", key, view("")).status == http.StatusUnauthorized
	})
	before := p.count(`SELECT count(*) FROM ingest.events`)
	p.post("/events", key, view("")).expect(t, http.StatusUnauthorized, "invalid_api_key")
	p.post("/purchases", key, twoShoes).expect(t, http.StatusUnauthorized, "invalid_api_key")
	p.post("/events", p.ingestKey, view("")).expect(t, http.StatusAccepted, "") // other keys are none the wiser
	if n := p.count(`SELECT count(*) FROM ingest.events`); n != before+1 {
		t.Errorf("%d events were stored with and after the refusal, want 1", n-before)
	}
}
