package ingest_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
)

func TestReceipt(t *testing.T) {
	t.Parallel()
	p := start(t)
	batch := p.post("/events/bulk", p.ingestKey, bulk(view(""), view(""))).string("batch_id")
	stored := p.get("/events/batches/"+batch, p.ingestKey)
	stored.expect(t, http.StatusOK, "")
	received, err := time.Parse(time.RFC3339, stored.string("received_at"))
	if err != nil || time.Since(received).Abs() > time.Minute {
		t.Errorf("received_at: %v", stored.object)
	}
	if stored.string("batch_id") != batch || stored.number("events") != 2 || stored.string("state") != "stored" || stored.object["aggregated_at"] != nil {
		t.Errorf("before the aggregator: %v", stored.object)
	}
	p.exec(`UPDATE ingest.batches SET failed_at = now(), next_attempt_at = now(), failure = 'rows are missing' WHERE id = $1::bigint`, batch)
	if failed := p.get("/events/batches/"+batch, p.ingestKey); failed.string("state") != "failed" || failed.object["aggregated_at"] != nil {
		t.Errorf("set aside by the aggregator: %v", failed.object)
	}
	p.exec(`UPDATE ingest.batches SET failed_at = NULL, next_attempt_at = NULL, failure = NULL, aggregated_at = '2026-03-14T09:26:54.48Z' WHERE id = $1::bigint`, batch)
	aggregated := p.get("/events/batches/"+batch, p.ingestKey)
	if aggregated.string("state") != "aggregated" || aggregated.string("aggregated_at") != "2026-03-14T09:26:54.48Z" {
		t.Errorf("after the aggregator: %v", aggregated.object)
	}
}

func TestWhoMayReadReceipts(t *testing.T) {
	t.Parallel()
	p := start(t)
	path := "/events/batches/" + p.post("/events", p.ingestKey, view("")).string("batch_id")
	p.get(path, "").expect(t, http.StatusUnauthorized, "credentials_required")
	p.get(path, p.apiKey("read")).expect(t, http.StatusOK, "")
	p.get(path, p.auth.Token(authn.User, aliceID)).expect(t, http.StatusOK, "")
}

func TestReceiptsThatThereAreNot(t *testing.T) {
	t.Parallel()
	p := start(t)
	for _, id := range []string{uuid.NewString(), "17", "0", "-1", "99999999999999999999", "0x11", "a%2Fb"} {
		p.get("/events/batches/"+id, p.ingestKey).expect(t, http.StatusNotFound, "not_found")
	}
}

// TestReceiptsOfEveryKind are the same for late events and for purchases, and end when they are pruned.
func TestReceiptsOfEveryKind(t *testing.T) {
	t.Parallel()
	p := start(t)
	for name, write := range map[string]struct{ path, body string }{
		"late event": {"/events", view(`"ts":"` + ago(80*24*time.Hour) + `",`)},
		"purchase":   {"/purchases", twoShoes},
	} {
		batch := p.post(write.path, p.ingestKey, write.body).string("batch_id")
		path := "/events/batches/" + batch
		stored := p.get(path, p.ingestKey)
		stored.expect(t, http.StatusOK, "")
		received, err := time.Parse(time.RFC3339, stored.string("received_at"))
		if err != nil || time.Since(received).Abs() > time.Minute || stored.number("events") != 1 || stored.string("state") != "stored" {
			t.Errorf("%s, stored: %v", name, stored.object)
		}
		p.fold(batch)
		if a := p.get(path, p.ingestKey); a.string("state") != "aggregated" || a.string("aggregated_at") < stored.string("received_at") {
			t.Errorf("%s, aggregated: %v", name, a.object)
		}
		p.exec(`DELETE FROM ingest.batches WHERE id = $1::bigint`, batch)
		p.get(path, p.ingestKey).expect(t, http.StatusNotFound, "not_found")
	}
}
