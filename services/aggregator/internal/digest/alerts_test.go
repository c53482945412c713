package digest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/stats/sketch"
)

// alert makes an alert of project 1 that looks at days from 2 o'clock, for e-mail or a webhook. columns and values are those that the metric and the
// condition need.
func (o *office) alert(url, columns, values string) (id string) {
	o.t.Helper()
	recipients, secret := []string{"ada@example.com"}, ""
	if url != "" {
		recipients, secret = []string{}, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	}
	id = uuid.NewString()
	o.exec(`INSERT INTO workspace.alerts (id, project, name, currency, event, every, hour, notify_recovery, recipients, url, secret, enabled, scheduled_at, `+columns+`)
		VALUES ($1, 1, 'Watch', '', '', 'day', 2, true, $2, $3, $4, true, '2026-01-01', `+values+`)`, id, recipients, url, secret)
	return id
}

const (
	threshold = `metric, condition, threshold, direction, baseline`
	anomaly   = `metric, condition, sensitivity, direction, baseline`
)

// evaluations returns "first day, state, value, fired, recovered" of all evaluations.
func (o *office) evaluations() (lines []string) {
	o.t.Helper()
	rows, err := o.pool.Query(o.t.Context(), `
		SELECT first_day::text || ' ' || state || ' ' || coalesce(value::text, '-') || CASE WHEN fired THEN ' fired' ELSE '' END || CASE WHEN recovered THEN ' recovered' ELSE '' END
		FROM workspace.evaluations ORDER BY last_day, id`)
	if err != nil {
		o.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			o.t.Fatal(err)
		}
		lines = append(lines, line)
	}
	return lines
}

func (o *office) wantEvaluations(lines ...string) {
	o.t.Helper()
	if got := o.evaluations(); !slices.Equal(got, lines) {
		o.t.Errorf("evaluations are %q, want %q", got, lines)
	}
}

func (o *office) events(day string, events int) {
	o.t.Helper()
	o.exec(`INSERT INTO stats.daily_stats (project, day, lane, events, views, purchases, units) VALUES (1, $1, 0, $2, 0, 0, 0)`, day, events)
}

// TestAlertOfACompleteDay checks that a day is evaluated when all of it is counted and not before, once by however many processes, and that the end of
// the condition is told.
func TestAlertOfACompleteDay(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.alert("", threshold, `'events', 'below', 2000, '', ''`)
	o.pending("2026-03-14 23:59:59Z", 5)
	o.now = time.Date(2026, 3, 15, 1, 59, 59, 0, time.UTC)
	o.round(o.process())
	if got := o.evaluations(); len(got) != 1 || !strings.HasPrefix(got[0], "2026-03-13") { // the newest that was due
		t.Errorf("before it is due there is %q", got)
	}
	o.exec(`DELETE FROM workspace.evaluations`)
	o.exec(`DELETE FROM workspace.deliveries`)
	letters := len(o.smtp.kept())

	o.pass(time.Second)
	s := o.process()
	o.round(s)
	o.wantEvaluations("2026-03-14 waiting -")
	o.exec(`UPDATE ingest.batches SET failed_at = now(), next_attempt_at = now(), failure = 'x'`) // it has events of the day that are not counted
	o.round(s)
	o.wantEvaluations("2026-03-14 waiting -")
	if len(o.smtp.kept()) != letters {
		t.Error("an alert was sent for a day that is not complete")
	}
	o.exec(`UPDATE ingest.batches SET failed_at = NULL, next_attempt_at = NULL, failure = NULL, aggregated_at = now()`)
	var all sync.WaitGroup
	for range 4 {
		one := o.process()
		all.Go(func() { o.round(one) })
	}
	all.Wait()
	o.round(o.process())
	o.wantEvaluations("2026-03-14 evaluated 1234 fired")
	o.want("2026-03-14 sent 1")
	sent := o.smtp.kept()[letters:]
	if len(sent) != 1 {
		t.Fatalf("%d letters were sent", len(sent))
	}
	for _, part := range []string{
		"Subject: Default: ALERT Watch, 14 March 2026", "Days of UTC. As of 02:00 on 15 March 2026 (UTC)", "The condition of the alert holds.", "Metric       events",
		"Value        1,234", "Expected     at least 2,000", "/?project=default&from=2026-03-14&to=2026-03-14",
	} {
		if !strings.Contains(sent[0], part) {
			t.Errorf("the letter has no %q:\n%s", part, sent[0])
		}
	}

	o.events("2026-03-15", 3000)
	o.pass(24 * time.Hour)
	o.round(o.process())
	o.wantEvaluations("2026-03-14 evaluated 1234 fired", "2026-03-15 evaluated 3000 recovered")
	if sent := o.smtp.kept()[letters:]; len(sent) != 2 || !strings.Contains(sent[1], "back to normal: Watch") {
		t.Errorf("the letters are %q", sent)
	}
	o.events("2026-03-16", 3000)
	o.pass(24 * time.Hour)
	o.round(o.process())
	if sent := o.smtp.kept()[letters:]; len(sent) != 2 {
		t.Errorf("a usual day was sent: %q", sent)
	}
}

// TestChangedAlertDoesNotRecover checks that an alert which fired and then got another condition does not say that the former one holds no more.
func TestChangedAlertDoesNotRecover(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.alert("", threshold, `'events', 'below', 2000, '', ''`)
	o.round(o.process())
	o.wantEvaluations("2026-03-14 evaluated 1234 fired")
	o.exec(`UPDATE workspace.evaluations SET created_at = '2026-01-02'`)
	o.exec(`UPDATE workspace.alerts SET metric = 'orders', threshold = 0, scheduled_at = '2026-01-03'`)
	o.pass(24 * time.Hour)
	o.round(o.process())
	o.wantEvaluations("2026-03-14 evaluated 1234 fired", "2026-03-15 evaluated 0")
	o.want("2026-03-14 sent 1")
}

// TestAlertThatNeverBecomesComplete checks that a period which is not complete when the next one is due is skipped, says why, and is not sent. After some
// days without a process, the newest day is evaluated alone, and its letter says that it is late.
func TestAlertThatNeverBecomesComplete(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	id := o.alert("", threshold, `'events', 'below', 2000, '', ''`)
	o.pending("2026-03-14 12:00:00Z", 5)
	o.round(o.process())
	o.exec(`UPDATE ingest.batches SET received_at = '2026-03-18 12:00Z'`)
	o.pass(24 * time.Hour)
	s := o.process()
	if err := s.options.Alerts.Plan(t.Context(), o.now); err != nil {
		t.Fatal(err)
	}
	o.wantEvaluations("2026-03-14 skipped -", "2026-03-15 waiting -")
	var reason string
	if err := o.pool.QueryRow(t.Context(), `SELECT reason FROM workspace.evaluations WHERE alert = $1 AND state = 'skipped'`, id).Scan(&reason); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(reason, "not complete when the next period was due") || !strings.Contains(reason, "Not everything is counted") {
		t.Errorf("the reason is %q", reason)
	}
	o.exec(`DELETE FROM workspace.evaluations`)
	o.pass(2*24*time.Hour + 3*time.Hour)
	o.round(o.process())
	o.wantEvaluations("2026-03-17 evaluated 0 fired")
	if sent := o.smtp.kept(); len(sent) != 1 || !strings.Contains(sent[0], "LATE: this was to be found from 02:00 on 18 March 2026 (UTC).") {
		t.Errorf("sent: %q", sent)
	}
}

// TestAlertOnWeeklyData checks that a Sunday which is as weak as Sundays are is not unusual, that one with half of that is, and that neither is told by
// days that are not Sundays.
func TestAlertOnWeeklyData(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.exec(`DELETE FROM stats.daily_stats`)
	o.alert("", anomaly, `'events', 'anomaly', 3.5, 'both', 'same_weekday'`)
	first := time.Date(2026, 1, 12, 0, 0, 0, 0, time.UTC) // a Monday; 15 March 2026 is the ninth Sunday
	for day := range 9 * 7 {
		date := first.AddDate(0, 0, day)
		events := 10_000 + 137*(day%5)
		if date.Weekday() == time.Sunday {
			events = 3000 + 41*(day%4)
		}
		o.events(date.Format(time.DateOnly), events)
	}
	o.now = time.Date(2026, 3, 16, 2, 0, 0, 0, time.UTC)
	o.round(o.process())
	o.wantEvaluations("2026-03-15 evaluated 3082")
	o.exec(`DELETE FROM workspace.evaluations`)
	o.exec(`UPDATE stats.daily_stats SET events = 1500 WHERE day = '2026-03-15'`)
	o.round(o.process())
	o.wantEvaluations("2026-03-15 evaluated 1500 fired")
	o.want("2026-03-15 sent 1")
	if sent := o.smtp.kept(); len(sent) != 1 || !strings.Contains(sent[0], "(modified z-score)") {
		t.Errorf("sent: %q", sent)
	}
}

// TestShortHistory checks that nothing is said with too few days before.
func TestShortHistory(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.alert("", anomaly, `'events', 'anomaly', 3.5, 'both', 'last_28_days'`)
	o.round(o.process())
	o.wantEvaluations("2026-03-14 skipped 1234")
	o.want()
}

// TestAlertInTheZoneOfItsProject checks that days end, and alerts are due, by the clocks of the project.
func TestAlertInTheZoneOfItsProject(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	if _, err := o.pool.Exec(t.Context(), `UPDATE stats.zones SET time_zone = 'America/New_York' WHERE project = 1`); err != nil {
		t.Fatal(err)
	}
	o.alert("", threshold, `'events', 'above', 1, '', ''`)
	o.pending("2026-03-15 03:59:59Z", 5) // before the end of the day in New York, and after it in UTC
	o.now = time.Date(2026, 3, 15, 5, 59, 0, 0, time.UTC)
	s := o.process()
	o.round(s)
	o.wantEvaluations("2026-03-13 evaluated 1000 fired")
	o.pass(time.Minute) // 2 o'clock
	o.round(s)
	o.wantEvaluations("2026-03-13 evaluated 1000 fired", "2026-03-14 waiting -")
	o.exec(`UPDATE ingest.batches SET received_at = '2026-03-15 04:00:00Z'`)
	o.round(s)
	o.wantEvaluations("2026-03-13 evaluated 1000 fired", "2026-03-14 evaluated 1234 fired")
}

// TestAlertWhoseProcessDies checks that a notification is sent after a restart between the evaluation and the delivery, and again with the same id when
// a process died while it sent; that what is sent is what was found; and what a webhook gets.
func TestAlertWhoseProcessDies(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	var ids []string
	var bodies [][]byte
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		ids, bodies = append(ids, r.Header.Get("Webhook-Id")), append(bodies, body)
	}))
	defer server.Close()
	id := o.alert(server.URL, threshold, `'orders', 'below', 5, '', ''`)
	first := o.process()
	if err := errors.Join(first.prepare(t.Context()), first.options.Alerts.Evaluate(t.Context())); err != nil { // and no more: it dies
		t.Fatal(err)
	}
	o.want("2026-03-14 waiting 0")
	o.exec(`UPDATE stats.daily_stats SET purchases = 1000`) // late orders
	second := o.process()
	d, found, err := second.store.claim(t.Context(), []int16{}, o.now)
	if err != nil || !found {
		t.Fatalf("claimed: %t, %v", found, err)
	}
	if err := second.send(t.Context(), &d); err != nil { // and nobody records it
		t.Fatal(err)
	}
	o.pass(abandoned + time.Second)
	o.round(o.process())
	o.want("2026-03-14 sent 2")
	o.wantEvaluations("2026-03-14 evaluated 2 fired")
	if len(ids) != 2 || ids[0] != ids[1] || ids[0] == "" {
		t.Fatalf("the ids are %q", ids)
	}
	var got alertHook
	if err := json.Unmarshal(bodies[1], &got); err != nil {
		t.Fatal(err)
	}
	if got.Type != "alert" || got.Alert.ID != id || got.Metric != "orders" || *got.Value != 2 || *got.Low != 5 || got.High != nil || !got.Fired || got.Period.From != "2026-03-14" || !got.Late {
		t.Errorf("the body is %s", bodies[1])
	}

	o.exec(`INSERT INTO workspace.deliveries (id, alert, test, first_day, last_day, next_at) VALUES ($1, $2, true, '2026-03-14', '2026-03-14', $3)`, uuid.NewString(), id, o.now)
	o.round(o.process())
	if err := json.Unmarshal(bodies[len(bodies)-1], &got); err != nil || got.Type != "alert.test" || got.Fired || *got.Value != 2000 || got.Late {
		t.Errorf("the test is %s, %v", bodies[len(bodies)-1], err)
	}
	o.wantEvaluations("2026-03-14 evaluated 2 fired")
}

// TestSlowAlertDelaysNoDigest checks that a digest is sent while the numbers of an alert cannot be read.
func TestSlowAlertDelaysNoDigest(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.alert("", threshold, `'events', 'above', 1, '', ''`)
	o.exec(`UPDATE workspace.alerts SET event = 'view'`)
	o.digest("")
	lock, err := o.admin.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := lock.Exec(t.Context(), `LOCK TABLE stats.name_daily_stats IN ACCESS EXCLUSIVE MODE`); err != nil { // which digests do not read
		t.Fatal(err)
	}
	s := o.process()
	if err := s.options.Alerts.Plan(t.Context(), o.now); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	platformtest.Eventually(t, time.Minute, "the digest is sent", func() bool { return len(o.smtp.kept()) == 1 })
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	o.wantEvaluations("2026-03-14 waiting -")
}

// TestUsersOfAWeek checks that an alert finds as many users of a week as a digest tells: no more than there are events and purchases.
func TestUsersOfAWeek(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.exec(`DELETE FROM stats.daily_stats`)
	o.events("2026-03-14", 90)
	merged := sketch.New()
	for user := range int64(100) { // an estimate that is off
		merged.Insert(user)
	}
	stored, err := merged.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	o.exec(`INSERT INTO stats.daily_users (project, day, lane, sketch) VALUES (1, '2026-03-14', 0, $1)`, stored)
	o.alert("", threshold, `'users', 'above', 1, '', ''`)
	o.exec(`UPDATE workspace.alerts SET every = 'week'`)
	o.now = time.Date(2026, 3, 16, 8, 0, 0, 0, time.UTC) // a Monday
	o.round(o.process())
	o.wantEvaluations("2026-03-09 evaluated 90 fired")
}

// TestMetrics reads each metric of the project, of a product and of a name.
func TestMetrics(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	const product = "0195a3f0-2b6d-7f21-8c4e-5a9d3e7b1f65"
	o.owned(`INSERT INTO catalog.products (id, project, sku, name, price_minor, currency) VALUES ('` + product + `', 1, 'A', 'A', 1, 'EUR')`)
	o.owned(`INSERT INTO ingest.names (project, n, name) VALUES (1, 16, 'signup')`)
	o.exec(`INSERT INTO stats.name_daily_stats (project, name, day, lane, events) VALUES (1, 16, '2026-03-14', 0, 7), (1, 16, '2026-03-14', 1, 8)`)
	o.exec(`INSERT INTO stats.product_daily_stats (project, product, day, lane, events, views, purchases, units) SELECT 1, n, '2026-03-14', 0, 50, 40, 10, 20 FROM catalog.products`)
	o.exec(`INSERT INTO stats.product_daily_revenue (project, product, day, currency, lane, gross_minor, refunded_minor) SELECT 1, n, '2026-03-14', 'EUR', 0, 900, 100 FROM catalog.products`)
	for _, test := range []struct{ set, want string }{
		{`metric = 'events'`, "1234"}, {`metric = 'users'`, "3"}, {`metric = 'orders'`, "2"}, {`metric = 'units'`, "4"}, {`metric = 'revenue', currency = 'EUR'`, "5005"},
		{`metric = 'revenue', currency = 'USD'`, "0"}, {`metric = 'events', event = 'signup'`, "15"}, {`metric = 'events', event = 'never'`, "0"},
		{`metric = 'conversion'`, "-"}, {`metric = 'conversion', product = '` + product + `'`, "0.25"}, {`metric = 'units', product = '` + product + `'`, "20"},
		{`metric = 'revenue', currency = 'EUR', product = '` + product + `'`, "800"}, {`metric = 'users', product = '` + product + `'`, "0"},
		{`metric = 'events', product = '0195a3f0-2b6d-7f21-8c4e-5a9d3e7b1f66'`, "-"}, // no such product
	} {
		o.exec(`DELETE FROM workspace.alerts`)
		o.alert("", threshold, `'events', 'above', 1e9, '', ''`)
		o.exec(`UPDATE workspace.alerts SET ` + test.set)
		o.round(o.process())
		state := "evaluated"
		if test.want == "-" {
			state = "skipped"
		}
		o.wantEvaluations(fmt.Sprintf("2026-03-14 %s %s", state, test.want))
	}
}
