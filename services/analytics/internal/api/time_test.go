package api_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/services/analytics/internal/api"
)

// A sale at 23:30 and one at 00:30 by the clocks of a shop are on two of its days, wherever it is, and in the right hours.
func TestSalesAreOnTheDaysOfTheShop(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for zone, starts := range map[string][2]string{
		"Asia/Kolkata":        {"2026-03-10T00:00:00+05:30", "2026-03-10T23:00:00+05:30"},
		"America/St_Johns":    {"2026-03-10T00:00:00-02:30", "2026-03-10T23:00:00-02:30"},
		"Australia/Lord_Howe": {"2026-03-10T00:00:00+11:00", "2026-03-10T23:00:00+11:00"},
	} {
		shop := w.project(strings.ToLower(strings.ReplaceAll(zone[strings.Index(zone, "/")+1:], "_", "-")), zone, "EUR")
		shop.order("u", "sku", "EUR", 1, 100, shop.at("2026-03-10 23:30"))
		shop.order("u", "sku", "EUR", 1, 1, shop.at("2026-03-11 00:30"))
		const path = "/analytics/products/timeseries?sku=sku&from=2026-03-10&to=2026-03-10"
		day, hours := ask[api.Series](shop, path), ask[api.Series](shop, path+"&interval=hour")
		if len(day.Points) != 1 || len(hours.Points) != 24 {
			t.Fatalf("%s: %d days, %d hours", zone, len(day.Points), len(hours.Points))
		}
		got := [2]string{day.Points[0].Start.Format(time.RFC3339), hours.Points[23].Start.Format(time.RFC3339)}
		if got != starts || day.Meta.TimeZone != zone {
			t.Errorf("%s: starts at %v, want %v", zone, got, starts)
		}
		for name, revenue := range map[string][]api.Revenue{
			"day": day.Points[0].Revenue, "hour": hours.Points[23].Revenue,
			"top":      ask[api.TopProducts](shop, "/analytics/products/top?from=2026-03-10&to=2026-03-10").Totals.Revenue,
			"user":     ask[api.UserSummary](shop, "/analytics/users/u/summary?from=2026-03-10&to=2026-03-10").Totals.Revenue,
			"overview": ask[api.Overview](shop, "/analytics/overview?from=2026-03-10&to=2026-03-10").Totals.Revenue,
		} {
			if len(revenue) != 1 || revenue[0].GrossMinor != 100 {
				t.Errorf("%s: the %s has %+v", zone, name, revenue)
			}
		}
	}
}

// Every hour of a day on which clocks change is there once, with what happened in it, for each series.
func TestHoursOfDaysWithAChangeOfClocks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	berlin, island := w.project("berlin", "Europe/Berlin", "EUR"), w.project("island", "Australia/Lord_Howe", "EUR")
	for _, test := range []struct {
		p          *project
		day        string
		from       string // the first instant of the day
		hours      int
		halfHourly int // half hours in the day
	}{
		{berlin, "2026-03-29", "2026-03-28T23:00:00Z", 23, 46},
		{berlin, "2026-10-25", "2026-10-24T22:00:00Z", 25, 50},
		{island, "2026-04-05", "2026-04-04T13:00:00Z", 25, 49},
		{island, "2026-10-04", "2026-10-03T13:30:00Z", 24, 47},
	} {
		from, err := time.Parse(time.RFC3339, test.from)
		if err != nil {
			t.Fatal(err)
		}
		for i := range test.halfHourly {
			test.p.event("u", "Signed Up", "sku", from.Add(time.Duration(i)*30*time.Minute), 1)
		}
		days := "from=" + test.day + "&to=" + test.day + "&interval=hour"
		product := ask[api.Series](test.p, "/analytics/products/timeseries?sku=sku&"+days)
		overview := ask[api.Overview](test.p, "/analytics/overview?"+days)
		events := ask[api.EventSeries](test.p, "/analytics/events/timeseries?type=Signed+Up&"+days)
		if len(product.Points) != test.hours || len(overview.Points) != test.hours || len(events.Points) != test.hours {
			t.Errorf("%s in %s: %d, %d and %d hours, want %d", test.day, test.p.Slug, len(product.Points), len(overview.Points), len(events.Points), test.hours)
			continue
		}
		var sum int64
		for i, p := range product.Points {
			sum += p.Events
			if p.Events != overview.Points[i].Events || p.Events != events.Points[i].Events || p.Events < 1 || p.Events > 2 {
				t.Errorf("%s: the hour %s has %d, %d and %d events", test.p.Slug, p.Start, p.Events, overview.Points[i].Events, events.Points[i].Events)
			}
			if p.UniqueUsers != nil || events.Points[i].UniqueUsers != nil {
				t.Errorf("%s: the hour %s has users", test.p.Slug, p.Start)
			}
		}
		if sum != int64(test.halfHourly) || product.Totals.Events != sum || product.Totals.UniqueUsers != 1 {
			t.Errorf("%s in %s: %d events in all hours, totals %+v", test.day, test.p.Slug, sum, product.Totals)
		}
	}
	for query, status := range map[string]int{
		"from=2026-03-01&to=2026-03-31&interval=hour": http.StatusOK, "from=2026-03-01&to=2026-04-01&interval=hour": http.StatusUnprocessableEntity,
		"to=2026-03-31&interval=hour": http.StatusOK, "interval=minute": http.StatusUnprocessableEntity, "timezone=UTC": http.StatusUnprocessableEntity,
	} {
		for _, path := range []string{"/analytics/overview?", "/analytics/products/timeseries?sku=sku&", "/analytics/events/timeseries?type=x&"} {
			if got := w.get("berlin", path+query); got.Code != status {
				t.Errorf("%s%s: %d, want %d: %s", path, query, got.Code, status, got.Body)
			}
		}
	}
}

// Samoa had no 30 December 2011. The day has no points, and sales before and after it are on the days that its clocks showed.
func TestADayThatTheZoneSkippedHasNoPoints(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	apia := w.project("apia", "Pacific/Apia", "EUR")
	apia.order("u", "sku", "EUR", 1, 100, time.Date(2011, 12, 30, 9, 30, 0, 0, time.UTC))
	apia.order("u", "sku", "EUR", 1, 1, time.Date(2011, 12, 30, 10, 30, 0, 0, time.UTC))
	for query, want := range map[string][]int64{
		"from=2011-12-30&to=2011-12-30&interval=hour": {},
		"from=2011-12-30&to=2011-12-30":               {},
		"from=2011-12-29&to=2011-12-31":               {1, 1},
	} {
		got := []int64{}
		for _, p := range ask[api.Overview](apia, "/analytics/overview?"+query).Points {
			got = append(got, p.Purchases)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: purchases of the points (-want +got):\n%s", query, diff)
		}
		for _, path := range []string{"/analytics/products/timeseries?sku=sku&", "/analytics/events/timeseries?type=x&"} {
			if got := w.get("apia", path+query); got.Code != http.StatusOK {
				t.Errorf("%s%s: %d: %s", path, query, got.Code, got.Body)
			}
		}
	}
}

// Without to, a range ends on the day that the project has now.
func TestTodayIsWhereTheProjectLives(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.now = time.Date(2026, 3, 31, 20, 0, 0, 0, time.UTC)
	for zone, want := range map[string]string{"UTC": "2026-03-31", "Asia/Kolkata": "2026-04-01", "America/St_Johns": "2026-03-31", "Australia/Lord_Howe": "2026-04-01"} {
		shop := w.project("p"+strconv.Itoa(len(zone)), zone, "EUR")
		if got := ask[api.TopProducts](shop, "/analytics/products/top").To.String(); got != want {
			t.Errorf("in %s today is %s, want %s", zone, got, want)
		}
	}
}

// The interval that now is in is not complete, nor is one before it while something of the project is pending.
func TestIntervalsThatHaveOnlyBegun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shop, other := w.project("shop", "Asia/Kolkata", "EUR"), w.project("other", "UTC", "EUR")
	sunday := *shop
	sunday.WeekStart = time.Sunday
	sunday.Slug = "sunday"
	sunday.calls("sunday", w.callers["shop"])
	today := time.Now().In(shop.Zone)
	path := "/analytics/overview?from=" + today.AddDate(0, 0, -20).Format(time.DateOnly) + "&interval="
	last := func(p *project, interval string) (api.SeriesPoint, api.SeriesPoint) {
		points := ask[api.Overview](p, path+interval).Points
		return points[max(0, len(points)-2)], points[len(points)-1] // one month has only one point
	}
	for _, interval := range []string{"day", "week", "month", "hour"} {
		before, now := last(shop, interval)
		if now.Complete || (interval == "day" || interval == "week") && !before.Complete {
			t.Errorf("%s: %+v is complete: %t, %+v: %t", interval, before.Start, before.Complete, now.Start, now.Complete)
		}
	}
	if _, now := last(shop, "week"); now.Start.Weekday() != time.Monday {
		t.Errorf("the week begins on %s", now.Start.Weekday())
	}
	if _, now := last(&sunday, "week"); now.Start.Weekday() != time.Sunday {
		t.Errorf("the week begins on %s", now.Start.Weekday())
	}
	w.exec(`
		INSERT INTO ingest.batches (id, project, kind, rows, received_at, min_ts, max_ts)
		VALUES (1, $1, 'events', 1, now() - interval '48 hours', now(), now())`, shop.ID)
	path = "/analytics/overview?from=" + today.AddDate(0, 0, -19).Format(time.DateOnly) + "&interval=" // not in the cache
	if before, _ := last(shop, "day"); before.Complete {
		t.Errorf("%s is complete, although a batch of two days ago is pending", before.Start)
	}
	if before, _ := last(other, "week"); !before.Complete {
		t.Errorf("%s is not complete, although only a stranger's batch is pending", before.Start)
	}
}

// Users of a day are exact in the overview, estimated for more than a day, and say so.
func TestUniqueUsersSayWhetherTheyAreExact(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shop := w.project("shop", "America/St_Johns", "EUR")
	for day, users := range map[string]int{"2026-03-07 23:45": 30, "2026-03-08 00:15": 20} {
		for u := range users {
			shop.event(fmt.Sprintf("u%d", u), "view", "sku", shop.at(day), 1)
		}
	}
	days := ask[api.Overview](shop, "/analytics/overview?from=2026-03-07&to=2026-03-09")
	type users struct {
		number int64
		exact  bool
	}
	var got []users
	for _, p := range days.Points {
		got = append(got, users{*p.UniqueUsers, *p.UniqueUsersExact})
	}
	got = append(got, users{days.Totals.UniqueUsers, days.Totals.UniqueUsersExact})
	for _, path := range []string{"/analytics/overview?from=2026-03-08&to=2026-03-08&interval=hour", "/analytics/overview?from=2026-03-08&to=2026-03-08&interval=month"} {
		one := ask[api.Overview](shop, path)
		got = append(got, users{one.Totals.UniqueUsers, one.Totals.UniqueUsersExact})
	}
	product := ask[api.Series](shop, "/analytics/products/timeseries?sku=sku&from=2026-03-08&to=2026-03-08")
	got = append(got, users{product.Totals.UniqueUsers, product.Totals.UniqueUsersExact})
	want := []users{{30, true}, {20, true}, {0, true}, {30, false}, {20, true}, {20, true}, {20, false}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(users{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The first and the last days of the calendar have answers, in every interval and zone.
func TestTheEndsOfTheCalendar(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shop := w.project("shop", "Asia/Kolkata", "EUR")
	for _, day := range []string{"1970-01-01", "9998-12-31"} {
		for _, interval := range []string{"hour", "day", "week", "month"} {
			got := ask[api.Overview](shop, "/analytics/overview?from="+day+"&to="+day+"&interval="+interval)
			if len(got.Points) == 0 || got.From.String() != day || got.Complete != (day == "1970-01-01") {
				t.Errorf("%s by %s: %+v", day, interval, got)
			}
		}
	}
	if got := w.get("shop", "/analytics/overview?from=0000-01-01&to=0000-01-02&interval=week"); got.Code != http.StatusUnprocessableEntity {
		t.Errorf("year 0: %d %s", got.Code, got.Body)
	}
}
