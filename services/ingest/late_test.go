package ingest_test

import (
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
)

func TestLateEventsMakeTheirPartition(t *testing.T) {
	t.Parallel()
	p := start(t)
	if n := p.count(`SELECT count(*) FROM pg_inherits WHERE inhparent = 'ingest.events'::regclass`); n != 0 {
		t.Fatalf("the test wants a database without partitions, there are %d", n)
	}
	var events []string
	for _, days := range []int{0, 21, 40, 89} {
		events = append(events, view(`"ts":"`+ago(time.Duration(days)*24*time.Hour)+`",`))
	}
	p.post("/events/bulk", p.ingestKey, bulk(events...)).expectBulk(t, 4, 0)
	if n := p.count(`SELECT count(*) FROM pg_inherits WHERE inhparent = 'ingest.events'::regclass`); n != 4 {
		t.Errorf("%d partitions, want one for each of the 4 weeks and none between", n)
	}
	p.post("/purchases", p.ingestKey, `{"ts":"`+ago(20*24*time.Hour)+`",`+twoShoes[1:], "Idempotency-Key", "late").expect(t, http.StatusCreated, "")
}

// TestManyLateEventsAtOnce needs the same missing partitions from many connections at once.
func TestManyLateEventsAtOnce(t *testing.T) {
	t.Parallel()
	p := start(t)
	const clients, days = 12, 6
	var wg sync.WaitGroup
	for i := range clients {
		var events []string
		for day := range days {
			events = append(events, view(`"ts":"`+ago(time.Duration((day+i%3)*24)*time.Hour)+`",`))
		}
		wg.Go(func() {
			if a, err := p.try(http.MethodPost, "/events/bulk", p.ingestKey, []byte(bulk(events...))); err != nil || a.number("accepted") != days {
				t.Errorf("client %d: %d %v, %v", i, a.status, a.object, err)
			}
		})
		wg.Go(func() {
			body := `{"ts":"` + ago(time.Duration(i%5*24)*time.Hour) + `",` + twoShoes[1:]
			if a, err := p.try(http.MethodPost, "/purchases", p.ingestKey, []byte(body)); err != nil || a.status != http.StatusCreated {
				t.Errorf("purchase %d: %d %v, %v", i, a.status, a.object, err)
			}
		})
	}
	wg.Wait()
	if n := p.count(`SELECT count(*) FROM ingest.events`); n != clients*days {
		t.Errorf("%d events, want %d", n, clients*days)
	}
	if n := p.count(`SELECT count(*) FROM ingest.orders`); n != clients {
		t.Errorf("%d purchases, want %d", n, clients)
	}
}

// TestEventsOfADroppedDayAreTooOld sends an event again after its day was dropped. It is refused by name, and what comes with it
// is stored.
func TestEventsOfADroppedDayAreTooOld(t *testing.T) {
	t.Parallel()
	p := start(t)
	old := view(`"id":"` + uuid.NewString() + `","ts":"` + ago(20*24*time.Hour) + `",`)
	p.post("/events", p.ingestKey, old).expect(t, http.StatusAccepted, "")
	p.exec(`UPDATE ingest.batches SET aggregated_at = now()`)
	p.exec(`SELECT ingest.drop_partitions_before(current_date - 13, false)`)

	p.post("/events/bulk", p.ingestKey, bulk(view(""), old, view(""))).expectBulk(t, 2, 0, "1/ts ts_too_old")
	a := p.post("/events", p.ingestKey, old)
	a.expect(t, http.StatusUnprocessableEntity, "validation_failed")
	if !slices.Equal(a.problems(), []string{"/ts ts_too_old"}) {
		t.Errorf("got %v", a.object)
	}
	if n := p.count(`SELECT sum(rows) FROM ingest.batches`); n != 3 {
		t.Errorf("%d rows are to be counted, want the 3 that were accepted", n)
	}
}
