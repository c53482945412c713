package host_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/internal/locks"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/reconcile"
)

// sent is an event or, with an amount, a purchase.
type sent struct {
	at     time.Time
	name   string
	user   string
	amount int64 // in cents
}

// trader sends events and purchases of one project, and remembers them.
type trader struct {
	*platform
	key    string
	random *rand.Rand
	now    time.Time
	all    []sent
}

const tradedDays = 45

// trade sends a bulk of events and some purchases at random times of the last days.
func (s *trader) trade(events int) {
	s.t.Helper()
	names := []string{"view", "click", "add_to_cart", "Signed Up"}
	var bulk, purchases []string
	for range events {
		e := sent{s.now.Add(-time.Duration(s.random.Int64N(int64(tradedDays * 24 * time.Hour)))).Truncate(time.Millisecond), names[s.random.IntN(len(names))], fmt.Sprintf("u%d", s.random.IntN(7)), 0}
		bulk = append(bulk, fmt.Sprintf(`{"type":%q,"sku":"SHOE","user_id":%q,"ts":%q}`, e.name, e.user, e.at.Format(time.RFC3339Nano)))
		s.all = append(s.all, e)
		if s.random.IntN(8) == 0 {
			e.name, e.amount = "", 250
			purchases = append(purchases, fmt.Sprintf(`{"sku":"SHOE","quantity":1,"user_id":%q,"ts":%q}`, e.user, e.at.Format(time.RFC3339Nano)))
			s.all = append(s.all, e)
		}
	}
	for path, body := range map[string]string{"/events/bulk": `{"events":[` + strings.Join(bulk, ",") + `]}`, "/purchases/bulk": `{"purchases":[` + strings.Join(purchases, ",") + `]}`} {
		if path == "/purchases/bulk" && len(purchases) == 0 {
			continue
		}
		if answer := s.send(http.MethodPost, path, s.key, body); fmt.Sprint(answer["rejected"]) != "0" && answer["rejected"] != nil {
			s.t.Fatalf("%s: %v", path, answer)
		}
	}
}

// numbers are what a report says of a day, an hour or a week.
type numbers struct {
	Events, Views, Purchases, Gross int64
	Users                           int
}

// clocks are the zones of the project by which the model counts: one until an instant, and another from it on.
type clocks struct {
	before, after *time.Location
	since         time.Time
}

func (c clocks) local(at time.Time) time.Time {
	if at.Before(c.since) {
		return at.In(c.before)
	}
	return at.In(c.after)
}

// count returns what the model counts of what was sent, by a text of its local time. It shares nothing with the platform.
func (s *trader) count(c clocks, keep func(sent) bool, by func(local time.Time) string) map[string]numbers {
	all, users := map[string]numbers{}, map[string]map[string]bool{}
	for _, e := range s.all {
		if !keep(e) {
			continue
		}
		key := by(c.local(e.at))
		n := all[key]
		if users[key] == nil {
			users[key] = map[string]bool{}
		}
		users[key][e.user] = true
		n.Users = len(users[key])
		if e.amount > 0 {
			n.Purchases++
			n.Gross += e.amount
		} else {
			n.Events++
		}
		if e.name == "view" {
			n.Views++
		}
		all[key] = n
	}
	return all
}

func integer(value any) int64 {
	n, _ := value.(float64)
	return int64(n)
}

// numbersOf decodes counts of an answer.
func numbersOf(value any) numbers {
	counts, _ := value.(map[string]any)
	n := numbers{Events: integer(counts["events"]), Views: integer(counts["views"]), Purchases: integer(counts["purchases"]), Users: int(integer(counts["unique_users"]))}
	revenue, _ := counts["revenue"].([]any)
	for _, r := range revenue {
		one, _ := r.(map[string]any)
		n.Gross += integer(one["gross_minor"])
	}
	return n
}

// points returns the points of a series that counted anything, by a part of their start.
func points(answer map[string]any, length int) map[string]numbers {
	found := map[string]numbers{}
	list, _ := answer["points"].([]any)
	for _, item := range list {
		point, _ := item.(map[string]any)
		if n := numbersOf(point); n != (numbers{}) {
			found[fmt.Sprint(point["start"])[:length]] = n
		}
	}
	return found
}

func withoutUsers(all map[string]numbers) map[string]numbers {
	for key, n := range all {
		n.Users = 0
		all[key] = n
	}
	return all
}

// differences compares every report with the model.
func (s *trader) differences(c clocks) string {
	s.t.Helper()
	everything := func(sent) bool { return true }
	day := func(local time.Time) string { return local.Format(time.DateOnly) }
	first, last := c.local(s.now.AddDate(0, 0, -tradedDays-1)), c.local(s.now)
	days := "from=" + day(first) + "&to=" + day(last)
	get := func(path string) map[string]any { return s.send(http.MethodGet, "/analytics/"+path, s.key, "") }
	var all strings.Builder
	compare := func(what string, want, got any) {
		if diff := cmp.Diff(want, got); diff != "" {
			fmt.Fprintf(&all, "%s (-model +report):\n%s\n", what, diff)
		}
	}
	compare("days", s.count(c, everything, day), points(get("overview?"+days), len(time.DateOnly)))
	compare("days of the product", s.count(c, everything, day), points(get("products/timeseries?sku=SHOE&"+days), len(time.DateOnly)))
	month := "from=" + day(last.AddDate(0, 0, -30)) + "&to=" + day(last)
	recent := func(e sent) bool { return day(c.local(e.at)) >= day(last.AddDate(0, 0, -30)) }
	compare("hours", withoutUsers(s.count(c, recent, func(l time.Time) string {
		return time.Date(l.Year(), l.Month(), l.Day(), l.Hour(), 0, 0, 0, l.Location()).Format(time.RFC3339)
	})), points(get("overview?interval=hour&"+month), len("2006-01-02T15:04:05+00:00")))
	compare("months", withoutUsers(s.count(c, everything, func(l time.Time) string { return l.Format("2006-01") })), withoutUsers(points(get("overview?interval=month&"+days), 7)))
	compare("weeks", withoutUsers(s.count(c, everything, func(l time.Time) string {
		return day(l.AddDate(0, 0, -(int(l.Weekday())+6)%7))
	})), withoutUsers(points(get("overview?interval=week&"+days), len(time.DateOnly))))
	signedUp := s.count(c, func(e sent) bool { return e.name == "Signed Up" }, day)
	compare("days of an event", signedUp, points(get("events/timeseries?type=Signed+Up&"+days), len(time.DateOnly)))
	ofUser := map[string]numbers{}
	list, _ := get("users/u3/summary?" + days)["days"].([]any)
	for _, item := range list {
		one, _ := item.(map[string]any)
		ofUser[fmt.Sprint(one["day"])] = numbersOf(one)
	}
	compare("days of a user", s.count(c, func(e sent) bool { return e.user == "u3" }, day), ofUser)
	for _, back := range []int{3, 10, tradedDays - 2} {
		one := day(last.AddDate(0, 0, -back))
		of := "from=" + one + "&to=" + one
		want := s.count(c, func(e sent) bool { return day(c.local(e.at)) == one }, day)[one]
		top := numbersOf(get("products/top?" + of)["totals"])
		top.Users = want.Users // totals of rankings have none
		compare("the top of "+one, want, top)
		names, _ := get("events?" + of)["items"].([]any)
		var events int64
		for _, item := range names {
			name, _ := item.(map[string]any)
			events += integer(name["events"])
		}
		compare("the names of "+one, want.Events, events)
		users, _ := get("users/top?" + of)["items"].([]any)
		compare("the users of "+one, want.Users, len(users))
	}
	return all.String()
}

// mustAgree waits until every report is what the model counts.
func (s *trader) mustAgree(when string, c clocks) {
	s.t.Helper()
	last := ""
	defer func() {
		if last != "" {
			s.t.Logf("%s:\n%s", when, last)
		}
	}()
	platformtest.Eventually(s.t, time.Minute, when+", every report is that of the model", func() bool {
		last = s.differences(c)
		return last == ""
	})
}

// kill ends the sessions that take steps of the change and that lead, as the death of the process does.
func (s *trader) kill() (killed int) {
	s.t.Helper()
	const query = `
		SELECT count(*) FILTER (WHERE pg_terminate_backend(pid))
		FROM pg_locks
		WHERE locktype = 'advisory' AND granted AND classid::bigint = $1 AND objid::bigint = ANY($2::bigint[]) AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
		  AND EXISTS (SELECT FROM pg_locks AS step WHERE step.locktype = 'advisory' AND step.granted AND step.classid::bigint = $1 AND step.objid::bigint = $3)`
	leader, rebuild := locks.AggregatorLeader, locks.Rebuild
	ids := []int64{int64(leader.ID()), int64(rebuild.ID())}
	err := s.database.Pool("").QueryRow(s.t.Context(), query, int64(leader.Class()), ids, ids[1]).Scan(&killed)
	if err != nil {
		s.t.Fatal(err)
	}
	return killed
}

// TestChangeOfTheTimeZoneOfAProject moves a project with events from Kolkata to New York, while events arrive and the process that
// does it is killed. Of the first weeks the raw rows are gone: these days keep their zone.
func TestChangeOfTheTimeZoneOfAProject(t *testing.T) {
	t.Parallel()
	p := startPlatform(t)
	var admin string
	for _, c := range p.callers() {
		if c.name == "admin" {
			admin = c.authorization
		}
	}
	load := func(name string) *time.Location {
		zone, err := localtime.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		return zone
	}
	kolkata, newYork := load("Asia/Kolkata"), load("America/New_York")
	p.send(http.MethodPost, "/auth/projects", admin, `{"slug":"shop","name":"Shop","time_zone":"Asia/Kolkata","currency":"EUR"}`)
	_, made := p.in("shop", http.MethodPost, "/auth/api-keys", admin, `{"name":"shop","scopes":["admin","ingest","read"]}`)
	s := &trader{platform: p, key: "Bearer " + fmt.Sprint(made["key"]), random: rand.New(rand.NewPCG(1, 2)), now: time.Now().UTC().Truncate(time.Second)}
	p.send(http.MethodPost, "/products", s.key, `{"sku":"SHOE","name":"Shoe","price_minor":250,"currency":"EUR"}`)
	for range 4 {
		s.trade(300)
	}
	s.mustAgree("before the change", clocks{kolkata, kolkata, time.Time{}})

	// The raw rows of all weeks before one are dropped.
	monday := s.now.Truncate(24*time.Hour).AddDate(0, 0, -22)
	monday = monday.AddDate(0, 0, -(int(monday.Weekday())+6)%7)
	if _, err := p.database.Pool("").Exec(t.Context(), `SELECT ingest.drop_partitions_before($1::date, false)`, monday); err != nil {
		t.Fatal(err)
	}
	answer := p.send(http.MethodPatch, "/auth/projects/shop", s.key, `{"time_zone":"America/New_York"}`)
	change, _ := answer["time_zone_change"].(map[string]any)
	if answer["time_zone"] != "America/New_York" || change["from"] != "Asia/Kolkata" || change["to"] != "America/New_York" {
		t.Fatalf("%v", answer)
	}
	killed, bulks := 0, 0
	platformtest.Eventually(t, time.Minute, "the change is done", func() bool {
		if killed < 2 {
			killed += s.kill()
		}
		if bulks < 100 { // more would only take the time of the steps
			bulks++
			s.tradeSince(monday.AddDate(0, 0, 2), 5)
		}
		project := p.send(http.MethodGet, "/auth/projects/shop", s.key, "")
		change, _ = project["time_zone_change"].(map[string]any)
		return change["state"] == "done"
	})
	t.Logf("%d sessions were killed; %v", killed, change)
	// The Monday of New York has rows of the Monday of Kolkata, which began on the Sunday before, whose rows are gone.
	since := localtime.DayOfDate(monday.AddDate(0, 0, 1)).Start(newYork)
	if fmt.Sprint(change["since"]) != since.UTC().Format(time.RFC3339) || integer(change["days_kept"]) < 20 || integer(change["days_done"]) != integer(change["days_total"]) || change["failure"] != nil {
		t.Errorf("since %s: %v", since.UTC().Format(time.RFC3339), change)
	}
	s.mustAgree("after the change", clocks{kolkata, newYork, since})
	one := s.now.In(newYork).AddDate(0, 0, -3).Format(time.DateOnly)
	events := s.count(clocks{newYork, newYork, since}, func(sent) bool { return true }, func(l time.Time) string { return l.Format(time.DateOnly) })[one].Events
	if status, rows := p.do(http.MethodGet, "/events/export?day="+one, s.key, "", ""); status != http.StatusOK || int64(bytes.Count(rows, []byte("\n"))) != events {
		t.Errorf("the export of %s: %d, %d rows, want %d", one, status, bytes.Count(rows, []byte("\n")), events)
	}
	s.mustSayTheZones(monday)
	var out strings.Builder
	if _, err := reconcile.Run(context.WithoutCancel(t.Context()), p.database.Pool("hp_aggregator"), reconcile.Options{Details: &out}); err != nil || out.Len() > 0 {
		t.Errorf("reconcile: %v\n%s", err, out.String())
	}
	if again := p.send(http.MethodPatch, "/auth/projects/shop", s.key, `{"time_zone":"America/New_York"}`); again["version"] != answer["version"] {
		t.Errorf("the same zone again is version %v, was %v", again["version"], answer["version"])
	}
}

// tradeSince sends events after an instant.
func (s *trader) tradeSince(from time.Time, events int) {
	s.t.Helper()
	var bulk []string
	for range events {
		e := sent{from.Add(time.Duration(s.random.Int64N(int64(s.now.Sub(from))))).Truncate(time.Millisecond), "view", fmt.Sprintf("u%d", s.random.IntN(7)), 0}
		bulk = append(bulk, fmt.Sprintf(`{"type":%q,"sku":"SHOE","user_id":%q,"ts":%q}`, e.name, e.user, e.at.Format(time.RFC3339Nano)))
		s.all = append(s.all, e)
	}
	s.send(http.MethodPost, "/events/bulk", s.key, `{"events":[`+strings.Join(bulk, ",")+`]}`)
}

// mustSayTheZones checks what answers say about the zones of their days, around the day after a Monday.
func (s *trader) mustSayTheZones(monday time.Time) {
	s.t.Helper()
	day := func(n int) string { return monday.AddDate(0, 0, n).Format(time.DateOnly) }
	type said struct {
		zone    any
		zones   int
		changed []string
	}
	for _, test := range []struct {
		from, to string
		want     said
	}{
		{day(-10), day(0), said{"Asia/Kolkata", 0, nil}},
		{day(-1), day(3), said{"America/New_York", 2, []string{day(1)}}},
		{day(2), day(9), said{"America/New_York", 0, nil}},
	} {
		answer := s.send(http.MethodGet, "/analytics/products/timeseries?sku=SHOE&from="+test.from+"&to="+test.to, s.key, "")
		meta, _ := answer["meta"].(map[string]any)
		zones, _ := meta["time_zones"].([]any)
		got := said{zone: meta["time_zone"], zones: len(zones)}
		list, _ := answer["points"].([]any)
		for _, item := range list {
			if point, _ := item.(map[string]any); point["zone_changed"] == true {
				got.changed = append(got.changed, fmt.Sprint(point["start"])[:len(time.DateOnly)])
			}
		}
		if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(said{})); diff != "" {
			s.t.Errorf("%s to %s (-want +got):\n%s", test.from, test.to, diff)
		}
	}
}
