package ingest_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/ingest"
)

// leave does what the aggregator begins an erasure of the customer and its visitor with.
func (p *platform) leave() {
	p.t.Helper()
	tx, err := p.db.Begin(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	for _, sql := range []string{
		`DELETE FROM ingest.users WHERE project = 1 AND id IN ('customer-17', 'visitor')`,
		`INSERT INTO ingest.erasure_epochs AS e (project, epoch) VALUES (1, 1) ON CONFLICT (project) DO UPDATE SET epoch = e.epoch + 1`,
	} {
		if _, err := tx.Exec(p.t.Context(), sql); err != nil {
			p.t.Fatal(err)
		}
	}
	if err := tx.Commit(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
}

// pair starts two processes on one database.
func pair(t *testing.T) (*platform, *platform) {
	t.Helper()
	database := dbtest.New(t)
	start := func() *platform {
		return startOn(t, database.Pool(""), func(cfg *ingest.Config) { cfg.Postgres, cfg.Redis = database.Config(), redistest.New(t) })
	}
	return start(), start()
}

// use sends one of everything that has a user, with ids of its own.
func (p *platform) use(tag string) {
	p.t.Helper()
	p.post("/events", p.ingestKey, view("")).expect(p.t, http.StatusAccepted, "")
	p.post("/events/bulk", p.ingestKey, bulk(view(""), `{"type":"view","anonymous_id":"visitor","user_id":"customer-17"}`,
		`{"type":"view","anonymous_id":"visitor"}`)).expectBulk(p.t, 3, 0)
	order := fmt.Sprintf(`{"id":"o-%s","user_id":"customer-17","currency":"EUR","lines":[{"sku":"SHOE","quantity":4,"amount_minor":2000}]}`, tag)
	p.post("/orders", p.ingestKey, order).expect(p.t, http.StatusCreated, "")
	loose := fmt.Sprintf(`{"id":"l-%s","user_id":"customer-17","currency":"EUR","lines":[{"sku":"SHOE","quantity":1,"amount_minor":100}]}`, tag)
	p.post("/refunds", p.ingestKey, loose).expect(p.t, http.StatusCreated, "")
}

const ofUsers = `
	SELECT (SELECT count(*) FROM ingest.events WHERE user_n = ANY($1)) + (SELECT count(*) FROM ingest.orders WHERE user_n = ANY($1))
		+ (SELECT count(*) FROM ingest.refunds WHERE user_n = ANY($1))`

// TestErasedUsersAreNew erases a user that two processes have just used. Both store everything for one new user from then on, and a
// refund of an order of before is nobody's.
func TestErasedUsersAreNew(t *testing.T) {
	t.Parallel()
	p, q := pair(t)
	p.use("p1")
	q.use("q1")
	var former []int64
	if err := p.db.QueryRow(t.Context(), `SELECT array_agg(n) FROM ingest.users`).Scan(&former); err != nil {
		t.Fatal(err)
	}
	before := p.count(ofUsers, former)
	p.leave()
	p.use("p2")
	q.use("q2")
	if n := p.count(ofUsers, former); n != before || before != 12 {
		t.Errorf("the former numbers have %d rows, and had %d", n, before)
	}
	if n := p.count(`SELECT count(*) FROM ingest.users WHERE n = ANY($1) OR person = ANY($1) OR first_seen IS NULL AND NOT anonymous`, former); n != 0 {
		t.Errorf("%d users are of before", n)
	}
	if n := p.count(ofUsers+` + 0 * (SELECT count(*) FROM ingest.users)`, p.numbers()); n != 12 {
		t.Errorf("the new user and visitor have %d rows, want 12", n)
	}
	q.post("/orders/o-p1/refunds", q.ingestKey, `{"id":"late","reason":"Ada did not like it","lines":[{"line":1,"quantity":1}]}`).expect(t, http.StatusCreated, "")
	if n := p.count(`SELECT count(*) FROM ingest.refunds WHERE user_n = 0 AND reason IS NULL`); n != 1 {
		t.Errorf("%d refunds are nobody's and have no reason, want 1", n)
	}
}

// numbers are those of all users.
func (p *platform) numbers() (all []int64) {
	p.t.Helper()
	if err := p.db.QueryRow(p.t.Context(), `SELECT array_agg(n) FROM ingest.users`).Scan(&all); err != nil {
		p.t.Fatal(err)
	}
	return all
}

// TestErasureWhileEventsAreInFlight erases a user again and again while two processes store its events. Nothing is lost, and no
// request that begins after an erasure stores a row with a former number.
func TestErasureWhileEventsAreInFlight(t *testing.T) {
	t.Parallel()
	p, q := pair(t)
	const rounds, each = 5, 8
	accepted := 0
	for range rounds {
		var mu sync.Mutex
		var senders sync.WaitGroup
		first := make(chan struct{}, 2*each*2)
		for _, one := range []*platform{p, q} {
			for range 2 {
				senders.Go(func() {
					for range each {
						a, err := one.try(http.MethodPost, "/events/bulk", one.ingestKey, []byte(bulk(view(""), `{"type":"view","anonymous_id":"visitor","user_id":"customer-17"}`)))
						first <- struct{}{}
						if err != nil || a.status != http.StatusAccepted || a.number("accepted") != 2 {
							t.Errorf("%v: %v", a.object, err)
						}
						mu.Lock()
						accepted += 2
						mu.Unlock()
					}
				})
			}
		}
		<-first
		former := p.numbers()
		p.leave()
		senders.Wait()
		before := p.count(ofUsers, former)
		p.use(uuid.NewString())
		q.use(uuid.NewString())
		accepted += 8
		if n := p.count(ofUsers, former); n != before {
			t.Errorf("%d rows with a former number were stored after the erasure", n-before)
		}
	}
	if n := p.count(`SELECT count(*) FROM ingest.events`); n != accepted {
		t.Errorf("%d events are stored, %d were accepted", n, accepted)
	}
	if n := p.count(`SELECT count(*) FROM ingest.users AS u WHERE person IS NOT NULL AND NOT EXISTS (SELECT FROM ingest.users AS p WHERE p.n = u.person)`); n != 0 {
		t.Errorf("%d visitors belong to a person that is gone", n)
	}
}

// TestRetriesOfErasedUsers sends an event, an order and a refund again after their user was erased.
func TestRetriesOfErasedUsers(t *testing.T) {
	t.Parallel()
	p := start(t)
	event := view(`"id":"e-1","ts":"` + ago(time.Hour) + `","properties":{"page":"/"},`)
	p.post("/events/bulk", p.ingestKey, bulk(event)).expectBulk(t, 1, 0)
	p.post("/orders", p.ingestKey, anOrder).expect(t, http.StatusCreated, "")
	refund := `{"id":"r-1","reason":"too small"}`
	p.post("/orders/web-1001/refunds", p.ingestKey, refund).expect(t, http.StatusCreated, "")
	p.leave()
	p.exec(`UPDATE ingest.events SET user_n = 0, properties = NULL`)
	p.exec(`UPDATE ingest.orders SET user_n = 0, properties = NULL`)
	p.exec(`UPDATE ingest.refunds SET user_n = 0, reason = NULL`)
	p.post("/events/bulk", p.ingestKey, bulk(event)).expectBulk(t, 0, 1)
	for path, body := range map[string]string{"/orders": anOrder, "/orders/web-1001/refunds": refund} {
		if a := p.post(path, p.ingestKey, body); a.status != http.StatusCreated {
			t.Errorf("%s again: %d %v", path, a.status, a.object)
		}
	}
	if n := p.count(`SELECT (SELECT count(*) FROM ingest.events) + (SELECT count(*) FROM ingest.orders) + (SELECT count(*) FROM ingest.refunds)`); n != 3 {
		t.Errorf("%d rows are stored, want 3", n)
	}
	a := p.get("/events", p.apiKey("read"))
	a.expect(t, http.StatusOK, "")
	if item := a.items()[0]; item["user_id"] != nil || item["anonymous_id"] != nil {
		t.Errorf("the event is of %v", item)
	}
}

// TestErasureReceipts asks for erasures.
func TestErasureReceipts(t *testing.T) {
	t.Parallel()
	p := start(t)
	owner := p.apiKey("admin")
	p.use("1")
	p.post("/events", p.ingestKey, `{"type":"view","anonymous_id":"customer-17"}`).expect(t, http.StatusAccepted, "")
	erase := func(path string) answer { return p.send(http.MethodDelete, "/users/"+path, owner, nil) }
	erase("nobody").expect(t, http.StatusNotFound, "not_found")
	p.send(http.MethodDelete, "/users/customer-17", p.ingestKey, nil).expect(t, http.StatusForbidden, "forbidden")
	person := erase("customer-17")
	person.expect(t, http.StatusAccepted, "")
	if got := person.header.Get("Location"); got != "/erasures/"+person.string("id") || person.string("state") != "waiting" {
		t.Errorf("%s: %v", got, person.object)
	}
	if again := erase("customer-17?kind=user_id").string("id"); again != person.string("id") {
		t.Errorf("asking again made another receipt: %s", again)
	}
	visitor := erase("customer-17?kind=anonymous_id").string("id")
	if visitor == person.string("id") {
		t.Error("the anonymous id is not apart from the user id")
	}
	p.leave() // as an erasure that runs
	p.exec(`UPDATE ingest.erasures SET state = 'running', phase = 'rows', epoch = 1, started_at = now(), removed = '{"ingest.events": 3}', sketch_days = 2`)
	if again := erase("customer-17?kind=user_id").string("id"); again != person.string("id") {
		t.Errorf("asking while it runs made another receipt: %s", again)
	}
	running := p.get("/erasures/"+person.string("id"), owner)
	if kept, _ := running.object["kept"].([]any); len(kept) != 2 {
		t.Errorf("kept: %v", running.object["kept"])
	}
	p.post("/events", p.ingestKey, view("")).expect(t, http.StatusAccepted, "")
	if third := erase("customer-17").string("id"); third == person.string("id") || third == visitor {
		t.Error("the user who came back has no receipt of its own")
	}
	page := p.get("/erasures?limit=2", owner)
	rest := p.get("/erasures?limit=2&cursor="+page.string("next_cursor"), owner)
	if n, m := len(page.items()), len(rest.items()); n != 2 || m != 1 || rest.object["next_cursor"] != nil {
		t.Errorf("pages of %d and %d: %v", n, m, rest.object)
	}
	other, project := p.projectKey("other")
	p.exec(`UPDATE auth.api_keys SET scopes = '{admin}' WHERE project = $1`, project)
	p.get("/erasures/"+person.string("id"), other).expect(t, http.StatusNotFound, "not_found")
	if n := p.count(`SELECT count(*) FROM audit.log WHERE action = 'user.erased' AND subject LIKE 'erasure:%' AND project = 1`); n != 3 {
		t.Errorf("the audit log has %d entries, want 3", n)
	}
}
