package analytics_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/api"
)

// inbox writes batches of events as ingest does.
type inbox struct {
	*fixture
	mu   sync.Mutex
	last int64
}

func newInbox(f *fixture) *inbox {
	f.exec(`SELECT ingest.ensure_partitions((now() - interval '8 days')::date, (now() + interval '8 days')::date)`)
	f.exec(`INSERT INTO ingest.names (project, n, name) SELECT p, n, name FROM generate_series(1, 2) AS p, (VALUES (1, 'view'), (2, 'click')) AS v (n, name) ON CONFLICT DO NOTHING`)
	f.exec(`INSERT INTO ingest.users (project, anonymous, id) VALUES (1, false, 'ada'), (1, true, 'visitor')`)
	return &inbox{fixture: f}
}

// begin inserts a batch of views and returns how to commit it.
func (i *inbox) begin(project int16, ids []uuid.UUID, times ...time.Time) (commit func()) {
	i.mu.Lock()
	i.last++
	batch := i.last
	i.mu.Unlock()
	ctx := context.WithoutCancel(i.t.Context())
	tx, err := i.db.BeginTx(ctx, pgx.TxOptions{})
	if err == nil {
		_, err = tx.Exec(ctx, `
			INSERT INTO ingest.batches (project, id, kind, rows, min_ts, max_ts)
			SELECT $1, $2, 'events', count(*), min(ts), max(ts) FROM unnest($3::timestamptz[]) AS ts`, project, batch, times)
	}
	if err == nil {
		_, err = tx.Exec(ctx, `
			INSERT INTO ingest.events (project, batch, id, ts, name, user_n)
			SELECT $1, $2, id, ts, 1, coalesce((SELECT min(n) FROM ingest.users WHERE project = $1), 0) FROM unnest($3::uuid[], $4::timestamptz[]) AS sent (id, ts)`,
			project, batch, ids, times)
	}
	if err != nil {
		i.t.Error(err)
		return func() {}
	}
	return func() {
		if err := tx.Commit(ctx); err != nil {
			i.t.Error(err)
		}
	}
}

const (
	// orderOfTwo is a batch with an order of two lines, 30.00 and 12.50 EUR, and refundOfOne one with a refund of 7 JPY of an order that
	// nobody knows. Their parameters are the project, the batch, the time and the id.
	orderOfTwo = `
		WITH batch AS (INSERT INTO ingest.batches (project, id, kind, rows, min_ts, max_ts) VALUES ($1, $2, 'orders', 2, $3, $3)),
		head AS (INSERT INTO ingest.orders (project, batch, ts, id, user_n, lines, currency, number, content_hash)
			SELECT $1, $2, $3, $4, coalesce((SELECT max(n) FROM ingest.users WHERE project = $1), 0), 2, 'EUR', '#17', '')
		INSERT INTO ingest.order_lines (project, ts, order_id, line, product, quantity, amount_minor)
		SELECT $1, $3, $4, line, product, quantity, amount FROM (VALUES (1, 7, 2, 3000), (2, 8, 1, 1250)) AS l (line, product, quantity, amount)`
	refundOfOne = `
		WITH batch AS (INSERT INTO ingest.batches (project, id, kind, rows, min_ts, max_ts) VALUES ($1, $2, 'refunds', 1, $3, $3)),
		head AS (INSERT INTO ingest.refunds (project, batch, ts, id, user_n, lines, currency, order_id, content_hash)
			VALUES ($1, $2, $3, $4, 0, 1, 'JPY', '0195a3f4-11d2-7c9e-a6f0-8b3e5d7c2a91', ''))
		INSERT INTO ingest.refund_lines (project, refund_id, line, product, units, amount_minor) VALUES ($1, $4, 1, 8, 0, 7)`
)

// sell inserts a batch of orderOfTwo or refundOfOne, and returns its id and how to commit it.
func (i *inbox) sell(project int16, statement string) (id uuid.UUID, commit func()) {
	i.mu.Lock()
	i.last++
	batch := i.last
	i.mu.Unlock()
	ctx := context.WithoutCancel(i.t.Context())
	id = uuid.New()
	tx, err := i.db.BeginTx(ctx, pgx.TxOptions{})
	if err == nil {
		_, err = tx.Exec(ctx, statement, project, batch, time.Now(), id)
	}
	if err != nil {
		i.t.Error(err)
		return id, func() {}
	}
	return id, func() {
		if err := tx.Commit(ctx); err != nil {
			i.t.Error(err)
		}
	}
}

// send commits a batch of n events and returns their ids.
func (i *inbox) send(project int16, n int) []uuid.UUID {
	ids, times := make([]uuid.UUID, n), make([]time.Time, n)
	for k := range ids {
		ids[k], times[k] = uuid.New(), time.Now().Add(-time.Duration(k)*time.Second)
	}
	i.begin(project, ids, times...)()
	return ids
}

// reader reads a stream.
type reader struct {
	t       *testing.T
	answer  *http.Response
	scanner *bufio.Scanner
	stop    context.CancelFunc
	id      string // of the last message
}

// serve serves a handler until the test ends, and returns its address.
func serve(t *testing.T, handler http.Handler) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}

// message is a server-sent event.
type message struct{ event, data string }

// stream opens the stream, behind a message if after is not empty.
func (f *fixture) stream(t *testing.T, base, query, credential, after string) *reader {
	t.Helper()
	ctx, stop := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	t.Cleanup(stop)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/analytics/live"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+credential)
	if after != "" {
		r.Header.Set("Last-Event-ID", after)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = answer.Body.Close() })
	return &reader{t: t, answer: answer, scanner: bufio.NewScanner(answer.Body), stop: stop, id: after}
}

// next returns the next message with data; ok is false at the end of the stream.
func (r *reader) next() (m message, ok bool) {
	for r.scanner.Scan() {
		name, value, _ := strings.Cut(r.scanner.Text(), ": ")
		switch name {
		case "id":
			r.id = value
		case "event":
			m.event = value
		case "data":
			m.data = value
		case "":
			if r.scanner.Text() == "" && m.data != "" {
				return m, true
			}
		}
	}
	return m, false
}

// wants checks the name of the next message.
func (r *reader) wants(event string) message {
	r.t.Helper()
	m, ok := r.next()
	if !ok || m.event != event {
		r.t.Fatalf("the next message is %+v (%t), want %q", m, ok, event)
	}
	return m
}

// stored reads the next event, order or refund, with what all of them have, and whether it is an event.
func (r *reader) stored() (e api.LiveEvent, kind string) {
	r.t.Helper()
	m, ok := r.next()
	if !ok || m.event != "" && m.event != "order" && m.event != "refund" {
		r.t.Fatalf("the next message is %+v (%t)", m, ok)
	}
	if err := json.Unmarshal([]byte(m.data), &e); err != nil {
		r.t.Fatal(err)
	}
	return e, m.event
}

// TestLiveIsComplete restarts the service while events, orders and refunds are stored by writers that commit in another order than they
// began. A reader that comes back gets each of its project once, in the order of receipt, and none of another project.
func TestLiveIsComplete(t *testing.T) {
	t.Parallel()
	database, redis := dbtest.New(t), redistest.New(t)
	f := newFixtureOn(t, database.Config(), database.Pool(""), redis)
	f.exec(`INSERT INTO auth.projects (slug, name, time_zone, currency) VALUES ('other', 'Other', 'UTC', 'EUR')`)
	i := newInbox(f)
	credential := f.auth.Token(authn.Analyst, uuid.NewString())
	base := serve(t, f.routes)
	r := f.stream(t, base, "", credential, "")
	r.wants("ready")

	late := []uuid.UUID{uuid.New()} // received first, committed last
	commits := []func(){i.begin(1, late, time.Now())}
	for _, statement := range []string{orderOfTwo, refundOfOne} {
		id, commit := i.sell(1, statement)
		late, commits = append(late, id), append(commits, commit)
	}
	sent := slices.Clone(late)
	var mu sync.Mutex
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			for n := range 30 {
				ids := i.send(1, 1+n%4)
				i.send(2, 1)
				order, commitOrder := i.sell(1, orderOfTwo)
				refund, commitRefund := i.sell(1, refundOfOne)
				commitRefund()
				commitOrder()
				mu.Lock()
				sent = append(append(sent, ids...), order, refund)
				mu.Unlock()
			}
		})
	}
	writers.Wait()
	for _, commit := range commits {
		commit()
	}

	var got []uuid.UUID
	var order []string
	kinds := map[string]int{}
	for len(got) < len(sent) {
		if len(got) == len(sent)/3 { // the service goes away in the middle of a batch
			r.stop()
			again := newFixtureOn(t, database.Config(), database.Pool(""), redis)
			base := serve(t, again.routes)
			credential := again.auth.Token(authn.Analyst, uuid.NewString())
			r = again.stream(t, base, "", credential, r.id)
			r.wants("ready")
		}
		e, kind := r.stored()
		kinds[kind]++
		got = append(got, e.ID)
		order = append(order, fmt.Sprintf("%s %09s %s %s", e.ReceivedAt.Format("15:04:05.000000"), e.BatchID, e.TS.Format("15:04:05.000000"), e.ID))
	}
	if !slices.Equal(got[:3], late) {
		t.Errorf("the stream does not begin with what was received first")
	}
	if kinds["order"] != 121 || kinds["refund"] != 121 {
		t.Errorf("the kinds are %v", kinds)
	}
	if !slices.IsSorted(order) {
		t.Errorf("the events are not in order: %q", order)
	}
	slices.SortFunc(got, func(a, b uuid.UUID) int { return strings.Compare(a.String(), b.String()) })
	slices.SortFunc(sent, func(a, b uuid.UUID) int { return strings.Compare(a.String(), b.String()) })
	if !slices.Equal(got, sent) {
		t.Errorf("%d events were stored, and the reader has others", len(sent))
	}
	after := i.send(1, 1)
	if e, _ := r.stored(); e.ID != after[0] {
		t.Errorf("the next event is %s, want %s: one came twice", e.ID, after[0])
	}
}

// TestLiveFiltersAndOmits shows what a reader of some events gets.
func TestLiveFiltersAndOmits(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	i := newInbox(f)
	f.product(7)
	base := serve(t, f.routes)
	r := f.stream(t, base, "?type=click&user_id=ada&sku=sku-7", f.auth.Token(authn.Owner, uuid.NewString()), "")
	r.wants("ready")
	i.send(1, 3)
	ids, now := []uuid.UUID{uuid.New(), uuid.New()}, time.Now()
	commit := i.begin(1, ids, now, now)
	commit()
	f.exec(`UPDATE ingest.batches SET rows = 5 WHERE id = 2`) // three of them cannot be found
	wanted := uuid.New()
	f.exec(`
		WITH batch AS (INSERT INTO ingest.batches (project, id, kind, rows, min_ts, max_ts) VALUES (1, 1000, 'events', 1, $2, $2))
		INSERT INTO ingest.events (project, batch, id, ts, name, product, user_n) SELECT 1, 1000, $1, $2, 2, 7, n FROM ingest.users WHERE id = 'ada'`, wanted, now)
	m, ok := r.next()
	if ok && m.event == "omitted" {
		m, ok = r.next()
	}
	if !ok || !strings.Contains(m.data, wanted.String()) || !strings.Contains(m.data, `"user_id":"ada"`) || !strings.Contains(m.data, `"sku":"sku-7"`) ||
		!strings.Contains(m.data, `"type":"click"`) || !strings.Contains(m.data, `"anonymous_id":null`) {
		t.Errorf("%+v", m)
	}
	for _, id := range []string{"nonsense", "b@d", ""} {
		r := httptest.NewRequest(http.MethodGet, "/analytics/live", nil)
		r.Header.Set("Authorization", "Bearer "+f.auth.Token(authn.Owner, uuid.NewString()))
		r.Header.Set("Last-Event-ID", id)
		w := httptest.NewRecorder()
		f.handler.ServeHTTP(w, r)
		if w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "/header/Last-Event-ID") {
			t.Errorf("Last-Event-ID %q: %d %s", id, w.Code, w.Body)
		}
	}
	if w := f.get("/analytics/live", f.auth.Token(authn.Viewer, uuid.NewString())); w.Code != http.StatusForbidden {
		t.Errorf("a viewer gets %d", w.Code)
	}
}

// TestLiveShowsMoney shows an order and a refund, whole and by filters.
func TestLiveShowsMoney(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	i := newInbox(f)
	seventh, eighth := f.product(7), f.product(8)
	base := serve(t, f.routes)
	credential := f.auth.Token(authn.Analyst, uuid.NewString())
	first := f.stream(t, base, "", credential, "")
	first.wants("ready")
	begin := first.id
	first.stop()
	f.exec(`DELETE FROM ingest.users WHERE NOT anonymous`)
	i.begin(1, []uuid.UUID{uuid.New()}, time.Now())()
	order, commit := i.sell(1, orderOfTwo)
	commit()
	refund, commit := i.sell(1, refundOfOne)
	commit()

	read := func(query, after string) *reader {
		var r *reader
		platformtest.Eventually(t, 10*time.Second, "the reader before has left", func() bool {
			r = f.stream(t, base, query, credential, after)
			return r.answer.StatusCode == http.StatusOK
		})
		r.wants("ready")
		t.Cleanup(r.stop)
		return r
	}
	for query, want := range map[string][]string{ // the kinds of what a reader gets
		"": {"", "order", "refund"}, "?kind=order": {"order"}, "?kind=refund": {"refund"}, "?kind=event": {""}, "?sku=sku-7": {"order"},
		"?product_id=" + eighth.String(): {"order", "refund"}, "?type=view": {""}, "?user_id=visitor": {"", "order"},
	} {
		r := read(query, begin)
		for _, kind := range want {
			r.wants(kind)
		}
		r.stop()
	}
	orders := read("?kind=order", begin)
	var o api.LiveOrder
	if err := json.Unmarshal([]byte(orders.wants("order").data), &o); err != nil {
		t.Fatal(err)
	}
	wantLines := []api.LiveLine{{ProductID: seventh, SKU: "sku-7", Quantity: 2, AmountMinor: 3000}, {ProductID: eighth, SKU: "sku-8", Quantity: 1, AmountMinor: 1250}}
	if o.ID != order || o.AmountMinor != 4250 || o.Currency != "EUR" || *o.Number != "#17" || *o.AnonymousID != "visitor" || o.UserID != nil || o.LineCount != 2 || !slices.Equal(o.Lines, wantLines) {
		t.Errorf("the order is %+v", o)
	}
	orders.stop()
	refunds := read("?kind=refund", begin)
	var r api.LiveRefund
	if err := json.Unmarshal([]byte(refunds.wants("refund").data), &r); err != nil {
		t.Fatal(err)
	}
	if r.ID != refund || r.AmountMinor != 7 || r.Currency != "JPY" || r.OrderID == nil || r.UserID != nil || r.AnonymousID != nil || len(r.Lines) != 1 || r.Lines[0].Quantity != 0 {
		t.Errorf("the refund is %+v", r)
	}
	f.exec(`UPDATE ingest.batches SET rows = 9 WHERE kind = 'orders'`)
	refunds.stop()
	again := read("?kind=refund", orders.id) // behind the order, so its batch says what cannot be found
	if m := again.wants("omitted"); m.data != `{"count":7,"kind":"order"}` {
		t.Errorf("omitted: %s", m.data)
	}
}

// TestLiveLimits gives the place of a reader that has left to another one.
func TestLiveLimits(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	newInbox(f)
	base := serve(t, f.routes)
	credential := f.auth.Token(authn.Owner, uuid.NewString())
	first := f.stream(t, base, "", credential, "")
	first.wants("ready")
	f.stream(t, base, "", credential, "").wants("ready")
	if w := f.get("/analytics/live", credential); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "too_many_readers") || w.Header().Get("Retry-After") == "" {
		t.Errorf("a third reader gets %d %s", w.Code, w.Body)
	}
	first.stop()
	platformtest.Eventually(t, 10*time.Second, "there is a place again", func() bool {
		r := f.stream(t, base, "", credential, "")
		return r.answer.StatusCode == http.StatusOK
	})
}

// TestAServerWithReadersStops checks that a server does not wait for those who read live events, and that they are told.
func TestAServerWithReadersStops(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	newInbox(f)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := httpserver.Config{ReadTimeout: time.Minute, WriteTimeout: time.Minute, IdleTimeout: time.Minute, ShutdownTimeout: 30 * time.Second}
	component := httpserver.Component(listener, cfg, f.routes, platformtest.Logger(t))
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- component.Run(ctx, func() {}) }()
	r := f.stream(t, "http://"+listener.Addr().String(), "", f.auth.Token(authn.Owner, uuid.NewString()), "")
	r.wants("ready")
	stop()
	if m := r.wants("end"); m.data != `{"code":"restart"}` {
		t.Errorf("the stream ends with %+v", m)
	}
	if err := <-stopped; err != nil {
		t.Error(err) // "requests still in flight", if it waited for the reader
	}
}
