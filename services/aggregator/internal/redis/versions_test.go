package redis_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/internal/protocol/facts"
	"github.com/hp-analytics/hp-analytics/internal/stats"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/redis"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/rollup"
)

func TestMain(m *testing.M) { platformtest.Main(m, redistest.Stop) }

func TestPublishChangesWhatWasTouched(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t, redistest.New(t))
	versions := redis.Versions{Client: client}
	publish := func(d *rollup.Deltas) map[string]string {
		t.Helper()
		changed := rollup.Changed{}
		d.Note(changed)
		if err := versions.Publish(t.Context(), changed); err != nil {
			t.Fatal(err)
		}
		return client.HGetAll(t.Context(), redistest.Key(t, client, protocol.VersionsKey)).Val()
	}
	if tokens := publish(rollup.New()); len(tokens) > 0 {
		t.Errorf("nothing changed, yet there are tokens: %v", tokens)
	}
	const project, shoe, sock, ada = 4, 5, 6, 7
	clock := rollup.NewClock(localtime.Always(time.UTC))
	events := rollup.New()
	events.AddEvent(project, clock, facts.Event{User: ada, Product: shoe, Name: stats.View})
	first := publish(events)
	want := []string{protocol.ProjectField(project), protocol.ProductField(shoe), protocol.UserField(ada)}
	slices.Sort(want)
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(first))); diff != "" {
		t.Errorf("tokens (-want +got):\n%s", diff)
	}

	refunds := rollup.New()
	refunds.AddRefundLine(project, clock, facts.Line{User: ada, Product: sock, Units: 1, AmountMinor: 1})
	second := publish(refunds)
	for field, changed := range map[string]bool{
		protocol.ProjectField(project): true, protocol.UserField(ada): true,
		protocol.ProductField(sock): true, protocol.ProductField(shoe): false,
	} {
		if second[field] == "" || (first[field] != second[field]) != changed {
			t.Errorf("%s was %q and is %q, want changed: %t", field, first[field], second[field], changed)
		}
	}

	// A token that comes back after Redis was wiped would bring old answers back.
	client.FlushDB(t.Context())
	if third := publish(refunds); third[protocol.ProjectField(project)] == second[protocol.ProjectField(project)] {
		t.Error("the same token again")
	}
}

func TestPublishTellsWhenItCannot(t *testing.T) {
	t.Parallel()
	server := redistest.StartServer(t)
	client := redistest.Client(t, server.Config())
	server.Stop()
	if err := (redis.Versions{Client: client}).Publish(t.Context(), rollup.Changed{protocol.ProjectField(1): {}}); err == nil {
		t.Error("Publish succeeds without Redis")
	}
}
