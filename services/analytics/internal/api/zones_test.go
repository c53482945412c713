package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/api"
)

// moved gives a project another time zone from the start of a day there on, as a step of a change does, and publishes no token.
func (p *project) moved(zone, day string) {
	p.w.t.Helper()
	location, err := localtime.Load(zone)
	if err != nil {
		p.w.t.Fatal(err)
	}
	date, err := time.Parse(time.DateOnly, day)
	if err != nil {
		p.w.t.Fatal(err)
	}
	p.w.exec(`INSERT INTO stats.zones (project, since, time_zone) VALUES ($1, $2, $3)`, p.ID, localtime.DayOfDate(date).Start(location), zone)
	p.Zone = location
}

// Every report goes by the zones that count its days, names them, and marks the day between them. What was cached by the former zone
// is not found any more.
func TestReportsAcrossAChangeOfZone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shop := w.project("shop", "Asia/Kolkata", "EUR")
	shop.order("u", "sku", "EUR", 1, 100, shop.at("2026-03-10 23:30"))
	shop.order("u", "sku", "EUR", 1, 10, shop.at("2026-03-11 01:00"))
	const series = "/analytics/products/timeseries?sku=sku&from=2026-03-10&to=2026-03-12"
	if before := ask[api.Series](shop, series); before.Meta.TimeZone != "Asia/Kolkata" || before.Meta.TimeZones != nil || before.Points[1].ZoneChanged {
		t.Fatalf("%+v", before)
	}
	shop.moved("America/New_York", "2026-03-11")
	shop.order("u", "sku", "EUR", 1, 1, shop.at("2026-03-11 23:30"))
	var after api.Series
	platformtest.Eventually(t, 8*time.Second, "the answer is not by the former zone", func() bool {
		after = ask[api.Series](shop, series)
		return after.Meta.TimeZones != nil
	})
	want := "Asia/Kolkata;from=2026-03-10, America/New_York;from=2026-03-11"
	var days []string
	for _, p := range after.Points {
		day := p.Start.Format(time.RFC3339)
		if p.ZoneChanged {
			day += " changed"
		}
		days = append(days, day)
	}
	if diff := cmp.Diff([]string{"2026-03-10T00:00:00+05:30", "2026-03-11T00:00:00+05:30 changed", "2026-03-12T00:00:00-04:00"}, days); diff != "" {
		t.Errorf("days (-want +got):\n%s", diff)
	}
	if earned := after.Points[1].Revenue[0].GrossMinor; earned != 11 || after.Totals.Purchases != 3 {
		t.Errorf("the day between the zones has %d, all %+v", earned, after.Totals)
	}
	hours := ask[api.Series](shop, "/analytics/products/timeseries?sku=sku&from=2026-03-11&to=2026-03-11&interval=hour")
	if len(hours.Points) != 10+24 || hours.Points[1].Purchases != 1 || hours.Points[33].Purchases != 1 || !hours.Points[9].ZoneChanged {
		t.Errorf("%d hours: %+v", len(hours.Points), hours.Points)
	}
	for _, path := range []string{
		series, "/analytics/overview?from=2026-03-10&to=2026-03-12", "/analytics/events/timeseries?type=x&from=2026-03-10&to=2026-03-12",
		"/analytics/events?from=2026-03-10&to=2026-03-12", "/analytics/products/top?from=2026-03-10&to=2026-03-12",
		"/analytics/users/top?from=2026-03-10&to=2026-03-12", "/analytics/users/u/summary?from=2026-03-10&to=2026-03-12",
	} {
		got := w.getAs(shop.Slug, path, "text/csv")
		zones := got.Header().Get("Analytics-Time-Zones")
		if strings.Contains(path, "overview") {
			zones = strings.Replace(zones, "2026-03-07", "2026-03-10", 1) // it begins with the previous period
		}
		if got.Code != http.StatusOK || got.Header().Get("Analytics-Time-Zone") != "America/New_York" || zones != want {
			t.Errorf("%s: %d %v", path, got.Code, got.Header())
		}
	}
	if old := ask[api.UserSummary](shop, "/analytics/users/u/summary?from=2026-03-01&to=2026-03-10"); old.Meta.TimeZone != "Asia/Kolkata" || old.Meta.TimeZones != nil || old.Days[0].ZoneChanged {
		t.Errorf("days before the change: %+v", old)
	}
	if days := ask[api.UserSummary](shop, "/analytics/users/u/summary?from=2026-03-10&to=2026-03-12").Days; len(days) != 2 || days[0].ZoneChanged || !days[1].ZoneChanged {
		t.Errorf("the days of a user: %+v", days)
	}
}

// While Postgres does not say which zones hold, those that were read last do, so that cached answers are still found.
func TestZonesSurviveAnOutageOfPostgres(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shop := w.project("shop", "Asia/Kolkata", "EUR")
	const path = "/analytics/overview?from=2026-03-10&to=2026-03-12"
	if got := w.get(shop.Slug, path); got.Code != http.StatusOK {
		t.Fatalf("%d %s", got.Code, got.Body)
	}
	w.exec(`REVOKE SELECT ON stats.zones FROM hp_analytics`)
	w.server.Zones.Forget()
	if got := w.get(shop.Slug, path); got.Code != http.StatusOK || !strings.Contains(got.Body.String(), `"cached":true`) {
		t.Errorf("%d %s", got.Code, got.Body)
	}
	if got := w.get(w.project("other", "UTC", "EUR").Slug, path); got.Code == http.StatusOK {
		t.Errorf("a project that was never asked for: %d %s", got.Code, got.Body)
	}
}
