package ingest_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/ingest"
)

const aggregated = "?wait=aggregated"

// waitTimeout is an option: how long requests wait for the numbers.
func waitTimeout(d time.Duration) func(*ingest.Config) {
	return func(cfg *ingest.Config) { cfg.WaitTimeout = d }
}

// fold plays the aggregator for some batches.
func (p *platform) fold(batches ...string) {
	p.t.Helper()
	p.exec(`UPDATE ingest.batches SET aggregated_at = now() WHERE id = ANY ($1::text[]::bigint[]) AND aggregated_at IS NULL`, batches)
}

// pending returns the batches that are not folded, oldest first.
func (p *platform) pending() []string {
	p.t.Helper()
	var ids []string
	if err := p.db.QueryRow(p.t.Context(), `SELECT coalesce(array_agg(id::text ORDER BY id), '{}') FROM ingest.batches WHERE aggregated_at IS NULL`).Scan(&ids); err != nil {
		p.t.Fatal(err)
	}
	return ids
}

// begin sends a request and returns where its answer will be.
func (p *platform) begin(ctx context.Context, path, body string, header ...string) <-chan answer {
	ended := make(chan answer, 1)
	token := p.ingestKey
	go func() {
		defer close(ended)
		a, err := p.tryIn(ctx, http.MethodPost, path, token, []byte(body), header...)
		if err == nil {
			ended <- a
		}
	}()
	return ended
}

// unanswered fails the test if a has come already.
func unanswered(t *testing.T, when string, a <-chan answer) {
	t.Helper()
	select {
	case got := <-a:
		t.Fatalf("%s: answered %d %v already", when, got.status, got.object)
	default:
	}
}

// waiters waits until n requests wait.
func (p *platform) waiters(n int) {
	p.t.Helper()
	platformtest.Eventually(p.t, 10*time.Second, "requests wait", func() bool { return p.gauge("hpa_ingest_waiters") == float64(n) })
}

func TestWaitForTheNumbers(t *testing.T) {
	t.Parallel()
	for name, request := range map[string]struct{ path, body string }{
		"event":    {"/events", view("")},
		"bulk":     {"/events/bulk", bulk(view(""), view(""))},
		"purchase": {"/purchases", twoShoes},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, waitTimeout(14*time.Second))
			waiting := p.begin(t.Context(), request.path+aggregated, request.body)
			p.waiters(1)
			batch := p.pending()[0] // what is waited for is committed
			unanswered(t, "before the fold", waiting)
			if held := p.gauge("hpa_ingest_inflight_bytes"); held != 0 {
				t.Errorf("a request that only waits holds %v bytes", held)
			}
			if held := p.gauge("hpa_http_slots_in_use"); held != 0 {
				t.Errorf("a request that only waits holds a slot, %v are in use", held)
			}
			p.fold(batch)
			a := <-waiting
			a.expect(t, http.StatusOK, "")
			if a.string("batch_id") != batch {
				t.Errorf("answered with batch %s, stored as %s", a.string("batch_id"), batch)
			}
			// What is folded already is answered at once.
			p.waiters(0)
		})
	}
}

func TestWaitIsBounded(t *testing.T) {
	t.Parallel()
	p := start(t, waitTimeout(150*time.Millisecond))
	for path, body := range map[string]string{"/events": view(""), "/events/bulk": bulk(view("")), "/purchases": twoShoes} {
		begin := time.Now()
		a := p.post(path+aggregated, p.ingestKey, body)
		a.expect(t, http.StatusAccepted, "")
		if took := time.Since(begin); took < 150*time.Millisecond || took > 5*time.Second {
			t.Errorf("%s: answered after %s", path, took)
		}
		p.get("/events/batches/"+a.string("batch_id"), p.ingestKey).expect(t, http.StatusOK, "")
	}
	// A receipt that is pruned is one of what was folded long ago.
	key := []string{"Idempotency-Key", "pruned"}
	batch := p.post("/purchases", p.ingestKey, twoShoes, key...).string("batch_id")
	p.exec(`DELETE FROM ingest.batches WHERE id = $1::bigint`, batch)
	p.post("/purchases"+aggregated, p.ingestKey, twoShoes, key...).expect(t, http.StatusOK, "")
}

func TestTooManyWait(t *testing.T) {
	t.Parallel()
	p := start(t, waitTimeout(14*time.Second), func(cfg *ingest.Config) { cfg.MaxWaits = 1 })
	first := p.begin(t.Context(), "/events"+aggregated, view(""))
	p.waiters(1)
	p.post("/events"+aggregated, p.ingestKey, view("")).expect(t, http.StatusAccepted, "")
	unanswered(t, "the first", first)
	p.fold(p.pending()...)
	(<-first).expect(t, http.StatusOK, "")
}

// TestDuplicatesWaitForWhatTheyRepeat sends what is stored but not folded. The batch of the second request is empty and
// counts as folded, so it is not the one to wait for.
func TestDuplicatesWaitForWhatTheyRepeat(t *testing.T) {
	t.Parallel()
	one := view(`"id":"` + v7(time.Now()).String() + `",`)
	two := view(`"id":"` + uuid.NewString() + `","ts":"` + ago(72*time.Hour) + `",`)
	purchase := `{"id":"` + v7(time.Now()).String() + `",` + twoShoes[1:]
	for name, tc := range map[string]struct {
		path   string
		before []string // each stored in a batch of its own
		again  string
		header []string
	}{
		"event":           {"/events", []string{one}, one, nil},
		"bulk":            {"/events/bulk", []string{bulk(one), bulk(two)}, bulk(two, one, one), nil},
		"bulk with more":  {"/events/bulk", []string{bulk(one), bulk(two)}, bulk(view(""), one, two), nil},
		"purchase by id":  {"/purchases", []string{purchase}, purchase, nil},
		"purchase by key": {"/purchases", []string{twoShoes}, twoShoes, []string{"Idempotency-Key", "again"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, waitTimeout(14*time.Second))
			var batches []string
			for _, body := range tc.before {
				batches = append(batches, p.post(tc.path, p.ingestKey, body, tc.header...).string("batch_id"))
			}
			waiting := p.begin(t.Context(), tc.path+aggregated, tc.again, tc.header...)
			p.waiters(1)
			last := batches[len(batches)-1]
			for _, batch := range p.pending() { // what the second request has added is among them
				if batch != last {
					p.fold(batch)
				}
			}
			p.poll()
			unanswered(t, "an earlier batch is pending", waiting)
			p.fold(last)
			(<-waiting).expect(t, http.StatusOK, "")
		})
	}
}

// poll returns when the service has asked at least once what is folded by now: for a request that is told.
func (p *platform) poll() {
	p.t.Helper()
	witness := p.begin(p.t.Context(), "/purchases"+aggregated, twoShoes, "Idempotency-Key", uuid.NewString())
	p.waiters(2)
	var batch string
	if err := p.db.QueryRow(p.t.Context(), `SELECT batch::text FROM ingest.orders ORDER BY received_at DESC LIMIT 1`).Scan(&batch); err != nil {
		p.t.Fatal(err)
	}
	p.fold(batch)
	(<-witness).expect(p.t, http.StatusOK, "")
}

func TestUnknownWaits(t *testing.T) {
	t.Parallel()
	p := start(t)
	for path, body := range map[string]string{"/events": view(""), "/events/bulk": bulk(view("")), "/purchases": twoShoes} {
		for query, code := range map[string]string{
			"?wait=stored": "invalid_enum", "?wait=": "invalid_enum", "?wait=AGGREGATED": "invalid_enum", "?wait=aggregated&wait=aggregated": "invalid_value",
		} {
			a := p.post(path+query, p.ingestKey, body)
			a.expect(t, http.StatusUnprocessableEntity, "validation_failed")
			if found := a.problems(); len(found) != 1 || found[0] != "/query/wait "+code {
				t.Errorf("%s: %v", path+query, found)
			}
		}
	}
	if n := p.count(`SELECT count(*) FROM ingest.batches`); n != 0 {
		t.Errorf("%d batches were stored all the same", n)
	}
}

// TestAStoredWriteIsNoErrorWhateverBecomesOfTheWait has Postgres go away while a request waits.
func TestAStoredWriteIsNoErrorWhateverBecomesOfTheWait(t *testing.T) {
	t.Parallel()
	server := dbtest.StartServer(t)
	p := startOwn(t, server, waitTimeout(time.Second))
	alice := p.auth.Token(authn.User, aliceID)
	ended := make(chan answer, 1)
	go func() {
		a, err := p.try(http.MethodPost, "/events"+aggregated, alice, []byte(`{"type":"view","sku":"SHOE"}`))
		if err != nil {
			t.Error(err)
		}
		ended <- a
	}()
	p.waiters(1)
	server.Kill()
	a := <-ended
	a.expect(t, http.StatusAccepted, "")
	server.Restart()
	platformtest.Eventually(t, time.Minute, "the receipt is readable", func() bool {
		return p.get("/events/batches/"+a.string("batch_id"), alice).status == http.StatusOK
	})
}

func TestAClientThatGoesAwayWaitsNoMore(t *testing.T) {
	t.Parallel()
	p := start(t, waitTimeout(14*time.Second))
	ctx, leave := context.WithCancel(t.Context())
	gone := p.begin(ctx, "/events"+aggregated, view(""))
	p.waiters(1)
	leave()
	<-gone
	p.waiters(0)
	if n := p.count(`SELECT count(*) FROM ingest.events`); n != 1 {
		t.Errorf("%d events are stored, want 1", n)
	}
}
