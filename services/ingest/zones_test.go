package ingest_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
)

// After a change of the time zone, raw rows are listed and exported by the days that count them: those of the former zone before the
// change, and those of the new one after it. Every row is in one of them.
func TestRawRowsOfDaysOfTwoZones(t *testing.T) {
	t.Parallel()
	p := start(t)
	newYork, err := localtime.Load("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	day := localtime.DayOfDate(time.Now().UTC()) - 5
	since := day.Start(newYork)
	p.exec(`UPDATE stats.zones SET time_zone = 'Asia/Kolkata' WHERE project = 1`)
	p.exec(`INSERT INTO stats.zones (project, since, time_zone) VALUES (1, $1, 'America/New_York')`, since)
	begin := day.Date().Add(-5*time.Hour - 30*time.Minute)
	key := p.apiKey("read")
	for i, ts := range []time.Time{
		begin.Add(-time.Millisecond), begin, since.Add(-time.Millisecond), since, (day + 1).Start(newYork).Add(-time.Millisecond), (day + 1).Start(newYork),
	} {
		p.post("/events", p.ingestKey, view(fmt.Sprintf(`"properties":{"i":%d},"ts":"%s",`, i, ts.UTC().Format(time.RFC3339Nano)))).expect(t, http.StatusAccepted, "")
	}
	want := map[localtime.Day][]string{day - 1: {"map[i:0]"}, day: {"map[i:1]", "map[i:2]", "map[i:3]", "map[i:4]"}, day + 1: {"map[i:5]"}}
	got, listed := map[localtime.Day][]string{}, map[localtime.Day][]string{}
	for d := range want {
		response := p.export("/events/export?day="+d.String(), key, "application/x-ndjson")
		for _, row := range p.lines(response.Body, 10) {
			got[d] = append(got[d], fmt.Sprint(row["properties"]))
		}
		_ = response.Body.Close()
		items := p.get("/events?from="+d.String()+"&to="+d.String(), key).column("properties")
		for i := range items { // newest first
			listed[d] = append(listed[d], items[len(items)-1-i])
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("exports (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, listed); diff != "" {
		t.Errorf("lists (-want +got):\n%s", diff)
	}
}
