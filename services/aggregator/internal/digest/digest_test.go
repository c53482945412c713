package digest

import (
	"crypto/hmac"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/stats"
	"github.com/hp-analytics/hp-analytics/internal/stats/sketch"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/alert"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/period"
)

func TestMain(m *testing.M) { platformtest.Main(m, dbtest.Stop) }

// office is an installation with the numbers of two days, a mail server, and a clock that tests set.
type office struct {
	t     *testing.T
	owner *pgxpool.Pool // may do everything that auth may
	admin *pgxpool.Pool // owns the database
	inbox *pgxpool.Pool // may do everything that ingest may
	pool  *pgxpool.Pool // as the aggregator uses it
	smtp  *smtpServer

	mu  sync.Mutex
	now time.Time
}

func newOffice(t *testing.T) *office {
	t.Helper()
	database := dbtest.New(t)
	o := &office{
		t: t, owner: database.Pool("hp_auth"), admin: database.Pool(""), inbox: database.Pool("hp_ingest"), pool: database.Pool("hp_aggregator"), smtp: newSMTPServer(t), now: time.Date(2026, 3, 15, 8, 0, 0, 0, time.UTC),
	}
	o.day("2026-03-13", 1000, 100_00, 1, 2, 3, 4)
	o.day("2026-03-14", 1234, 50_05, 3, 4, 70_000)
	return o
}

// day stores the numbers of a day of the default project, in two lanes.
func (o *office) day(day string, events, gross int64, users ...uint32) {
	o.t.Helper()
	for lane, share := range []int64{events / 2, events - events/2} {
		o.exec(`INSERT INTO stats.daily_stats (project, day, lane, events, views, purchases, units) VALUES (1, $1, $2, $3, 0, 1, 2)`, day, lane, share)
	}
	o.exec(`INSERT INTO stats.daily_revenue (project, day, currency, lane, gross_minor, orders, units) VALUES (1, $1, 'EUR', 0, $2, 2, 4)`, day, gross)
	for _, user := range users {
		set, err := roaring.BitmapOf(user % 65_536).ToBytes()
		if err != nil {
			o.t.Fatal(err)
		}
		o.exec(`INSERT INTO stats.daily_user_sets (project, day, chunk, lane, users) VALUES (1, $1, $2, $3, $4)`, day, user/65_536, user%100, set)
	}
}

func (o *office) exec(sql string, args ...any) {
	o.t.Helper()
	pool := o.pool
	if strings.Contains(sql, "workspace.digests") || strings.Contains(sql, "workspace.alerts") || strings.Contains(sql, "auth.") {
		pool = o.owner
	}
	if _, err := pool.Exec(o.t.Context(), sql, args...); err != nil {
		o.t.Fatalf("%s: %v", sql, err)
	}
}

// owned runs a statement as the owner of the database.
func (o *office) owned(sql string, args ...any) {
	o.t.Helper()
	if _, err := o.admin.Exec(o.t.Context(), sql, args...); err != nil {
		o.t.Fatalf("%s: %v", sql, err)
	}
}

// pending stores a batch that is not counted.
func (o *office) pending(received string, rows int) {
	o.t.Helper()
	const insert = `INSERT INTO ingest.batches (id, received_at, min_ts, max_ts, rows, project, kind) VALUES (1, $1, $1, $1, $2, 1, 'events')`
	if _, err := o.inbox.Exec(o.t.Context(), insert, received, rows); err != nil {
		o.t.Fatal(err)
	}
}

// digest makes a digest of each day at 8 o'clock, which was due yesterday for the first time.
func (o *office) digest(url string) (id string) {
	o.t.Helper()
	const insert = `
		INSERT INTO workspace.digests (id, project, name, every, hour, recipients, url, secret, enabled, scheduled_at)
		VALUES ($1, 1, 'Daily', 'day', 8, $2, $3, $4, true, '2026-03-14 12:00Z')`
	id = uuid.NewString()
	recipients, secret := []string{"ada@example.com", "bob@example.com"}, ""
	if url != "" {
		recipients, secret = []string{}, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	}
	o.exec(insert, id, recipients, url, secret)
	return id
}

// process is a process of the aggregator.
func (o *office) process() *Sender {
	registry := prometheus.NewRegistry()
	return New(Options{
		Pool: o.pool, Logger: slog.New(slog.DiscardHandler), Now: o.clock, Alerts: alert.New(alert.Options{Pool: o.pool, Now: o.clock, Logger: slog.New(slog.DiscardHandler)}, registry),
		Webhook: Webhook{Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
		Mail:    Mail{Host: "127.0.0.1", Port: o.smtp.port, From: "HP Analytics <numbers@example.com>", TLS: "none", Dashboard: "https://numbers.example.com/"},
	}, registry)
}

func (o *office) clock() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.now
}

func (o *office) pass(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.now = o.now.Add(d)
}

func (o *office) round(s *Sender) {
	o.t.Helper()
	if err := s.Round(o.t.Context()); err != nil {
		o.t.Fatal(err)
	}
}

// deliveries returns "first day, state, attempts, failure" of all deliveries.
func (o *office) deliveries() (lines []string) {
	o.t.Helper()
	rows, err := o.pool.Query(o.t.Context(), `SELECT first_day::text || ' ' || state || ' ' || attempts || ' ' || failure FROM workspace.deliveries ORDER BY created_at, id`)
	if err != nil {
		o.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			o.t.Fatal(err)
		}
		lines = append(lines, strings.TrimSpace(line))
	}
	return lines
}

func (o *office) want(lines ...string) {
	o.t.Helper()
	if got := o.deliveries(); !slices.Equal(got, lines) {
		o.t.Errorf("deliveries are %q, want %q", got, lines)
	}
}

// TestOneDigestPerPeriod checks that a period is sent once, by however many processes, and what the text says.
func TestOneDigestPerPeriod(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.digest("")
	o.now = o.now.Add(-time.Second) // it is not yet 8 o'clock, and what was due yesterday was before there was the digest
	o.round(o.process())
	o.want()
	o.pass(time.Second)
	var all sync.WaitGroup
	for range 4 {
		s := o.process()
		all.Go(func() { o.round(s) })
	}
	all.Wait()
	o.pass(10 * time.Hour)
	o.round(o.process()) // after a restart
	o.want("2026-03-14 sent 1")
	letters := o.smtp.kept()
	if len(letters) != 1 {
		t.Fatalf("%d letters were sent", len(letters))
	}
	row := func(name, value, change string) string { return fmt.Sprintf("%-20s %16s  %s", name, value, change) }
	for _, part := range []string{
		"Subject: Default: Daily, 14 March 2026", "ada@example.com", "bob@example.com", "Auto-Submitted: auto-generated",
		row("Users", "3", "-25.0 %"), row("Events", "1,234", "+23.4 %"), row("Orders", "2", "+0.0 %"), row("Net revenue, EUR", "50.05", "-50.0 %"),
		"compared with 13 March 2026", "https://numbers.example.com/?project=default&from=2026-03-14&to=2026-03-14",
	} {
		if !strings.Contains(letters[0], part) {
			t.Errorf("the letter has no %q:\n%s", part, letters[0])
		}
	}
	if strings.Contains(letters[0], "NOT COMPLETE") {
		t.Errorf("the letter says that its numbers are not complete:\n%s", letters[0])
	}

	o.pass(38 * time.Hour) // two more days are over; the newest one is sent
	o.round(o.process())
	o.want("2026-03-14 sent 1", "2026-03-16 sent 1")
}

// TestIncompleteDigest checks that a digest says so when events are not counted that were received before the end of its period.
func TestIncompleteDigest(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.digest("")
	o.pending("2026-03-15 00:00:00Z", 5) // received after the first period, and in the second
	o.round(o.process())
	o.pass(24 * time.Hour)
	o.round(o.process())
	letters := o.smtp.kept()
	if len(letters) != 2 || strings.Contains(letters[0], "NOT COMPLETE") || !strings.Contains(letters[1], "NOT COMPLETE: 5 events are stored and not counted yet") {
		t.Errorf("the letters are %q", letters)
	}
}

// TestAttempts checks what is tried again, when, and what is not, because it may have arrived.
func TestAttempts(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.digest("")
	s := o.process()
	o.smtp.answers("451 later", "451 later")
	o.round(s)
	o.want("2026-03-14 waiting 1 The mail server refused the message with 451.")
	o.pass(2*time.Minute - time.Second)
	o.round(s)
	o.want("2026-03-14 waiting 1 The mail server refused the message with 451.")
	o.pass(time.Second)
	o.round(s)
	o.pass(4*time.Minute - time.Second)
	o.round(s)
	o.want("2026-03-14 waiting 2 The mail server refused the message with 451.")
	o.pass(time.Second)
	o.round(s)
	o.want("2026-03-14 sent 3")

	for verdict, failure := range map[string]string{
		"554 no":  "The mail server refused the message with 554.",
		"hang up": "The connection to the mail server broke before it confirmed the message. It may have arrived, so it is not sent again.",
	} {
		o.exec(`DELETE FROM workspace.deliveries`)
		o.smtp.answers(verdict)
		o.round(s)
		o.pass(12 * time.Hour)
		o.round(s)
		o.pass(-12 * time.Hour)
		o.want("2026-03-14 failed 1 " + failure)
	}

	o.exec(`DELETE FROM workspace.deliveries`)
	o.smtp.answers(slices.Repeat([]string{"451 later"}, maxAttempts)...)
	for range 2 * maxAttempts {
		o.round(s)
		o.pass(55 * time.Minute)
	}
	if got := o.deliveries(); !strings.Contains(got[0], "failed 8") {
		t.Errorf("after many attempts: %q", got)
	}
}

// TestProcessThatDies checks that what a process had claimed when it died is not sent again, and told to the members.
func TestProcessThatDies(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.digest("")
	s := o.process()
	if err := s.plan(t.Context(), o.now); err != nil {
		t.Fatal(err)
	}
	if _, found, err := s.store.claim(t.Context(), []int16{}, o.now); err != nil || !found {
		t.Fatalf("claimed: %t, %v", found, err)
	}
	next := o.process()
	o.pass(abandoned - time.Second)
	o.round(next)
	o.want("2026-03-14 sending 1")
	o.pass(2 * time.Second)
	o.round(next)
	o.want("2026-03-14 failed 1 The server stopped while it sent this. It may have arrived, so it is not sent again.")
	if letters := o.smtp.kept(); len(letters) != 0 {
		t.Errorf("sent: %q", letters)
	}
}

// TestFigures reads a week: users of several days together are estimated.
func TestFigures(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	for day, users := range map[string][]int64{"2026-03-13": {1, 2, 3}, "2026-03-14": {3, 4}} {
		merged := sketch.New()
		for _, user := range users {
			merged.Insert(user)
		}
		stored, err := merged.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		o.exec(`INSERT INTO stats.daily_users (project, day, lane, sketch) VALUES (1, $1, 0, $2)`, day, stored)
	}
	last := localtime.DayOf(time.Date(2026, 3, 14, 0, 0, 0, 0, time.UTC), time.UTC)
	r, err := store{pool: o.pool}.report(t.Context(), target{project: 1}, period.Period{First: last - 6, Last: last})
	if err != nil || r.Now.Exact || r.Now.Users != 4 || r.Now.Counts[stats.Events] != 2234 || r.Now.net("EUR") != 150_05 || !r.Complete || r.Before.Users != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestWebhook checks the body and the signature of requests, that all attempts have one id, and that tests are marked and sent once.
func TestWebhook(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	var requests []*http.Request
	var bodies [][]byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		requests, bodies = append(requests, r), append(bodies, body)
		if len(requests) == 1 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer server.Close()
	id := o.digest(server.URL)
	o.pending("2026-03-14 12:00:00Z", 7)
	s := o.process()
	o.round(s)
	o.want("2026-03-14 waiting 1 The receiver answered 500.")
	o.pass(firstPause)
	o.round(s)
	o.want("2026-03-14 sent 2")
	if len(requests) != 2 || requests[0].Header.Get("Webhook-Id") != requests[1].Header.Get("Webhook-Id") || requests[0].Header.Get("Webhook-Id") == "" {
		t.Fatalf("requests: %+v", requests)
	}
	at, err := strconv.ParseInt(requests[1].Header.Get("Webhook-Timestamp"), 10, 64)
	if err != nil || at != o.now.Unix() {
		t.Errorf("the time is %d, %v", at, err)
	}
	signature, err := sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", requests[1].Header.Get("Webhook-Id"), at, bodies[1])
	if err != nil || !hmac.Equal([]byte(signature), []byte(requests[1].Header.Get("Webhook-Signature"))) {
		t.Errorf("the signature is %s: %v", requests[1].Header.Get("Webhook-Signature"), err)
	}
	var got hook
	if err := json.Unmarshal(bodies[1], &got); err != nil {
		t.Fatal(err)
	}
	if got.Type != "digest" || got.Digest.ID != id || got.Project.ID != "default" || got.Complete || got.Pending != 7 || got.Period.From != "2026-03-14" ||
		got.Period.Users != 3 || !got.Period.Exact || got.Period.Counts["events"] != 1234 || got.Previous.Counts["events"] != 1000 || got.Period.Money[0].Net != 50_05 {
		t.Errorf("the body is %s", bodies[1])
	}

	o.exec(`INSERT INTO workspace.deliveries (id, digest, test, first_day, last_day, next_at) VALUES ($1, $2, true, '2026-03-14', '2026-03-14', $3)`, uuid.NewString(), id, o.now)
	o.exec(`UPDATE workspace.digests SET enabled = false`)
	server.Config.Handler = http.NotFoundHandler()
	o.round(s)
	o.want("2026-03-14 sent 2", "2026-03-14 failed 1 The receiver answered 404.")
}
