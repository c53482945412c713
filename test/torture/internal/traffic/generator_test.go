package traffic_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/test/torture/internal/traffic"
)

var (
	begin    = time.Date(2026, 3, 14, 9, 26, 53, 589_793_238, time.UTC)
	products = []traffic.Product{
		{ID: uuid.MustParse("00000000-0000-7000-8000-000000000001"), SKU: "A", PriceMinor: 100, Currency: "EUR"},
		{ID: uuid.MustParse("00000000-0000-7000-8000-000000000002"), SKU: "B", PriceMinor: 250, Currency: "EUR"},
	}
)

func draw(seed, client uint64, n int) []traffic.Request {
	g := traffic.NewGenerator(seed, client, begin, products)
	all := make([]traffic.Request, n)
	for i := range all {
		all[i] = g.Next()
	}
	return all
}

func TestASeedRepeatsTheTraffic(t *testing.T) {
	t.Parallel()
	first := draw(7, 1, 500)
	for i, r := range draw(7, 1, 500) {
		if !reflect.DeepEqual(r, first[i]) {
			t.Fatalf("request %d of the same client: %+v, and the first time %+v", i, r, first[i])
		}
	}
	if reflect.DeepEqual(first[:5], draw(7, 2, 5)) || reflect.DeepEqual(first[:5], draw(8, 1, 5)) {
		t.Error("another client, or another seed, sends the same")
	}
}

// TestEveryKindOfRequest checks that the generator produces every kind of request, and that the recorded content of each
// request matches its body.
func TestEveryKindOfRequest(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	ids := map[uuid.UUID]int{}
	for _, r := range draw(1, 1, 3000) {
		switch {
		case r.Purchase != nil:
			seen["purchases"]++
			seen["purchases with a key"] += count(r.Key != "")
			seen["purchases with an id"] += count(r.Purchase.ID != uuid.Nil)
			seen["keys and no id"] += count(r.Purchase.ID == uuid.Nil)
		case r.Order != nil:
			seen["orders"]++
			seen["orders of many lines"] += count(len(r.Order.Lines) > 1)
		case r.Refund != nil:
			seen["refunds"]++
		case r.Path == "/events":
			seen["events"]++
			seen["bad events"] += len(r.Bad)
		default:
			seen["bulk"]++
			seen["lines"] += count(r.ContentType == "application/x-ndjson")
			seen["bad events in bulk"] += len(r.Bad)
			if got := items(t, r); got != len(r.Events)+len(r.Bad) {
				t.Fatalf("%d items, and the account has %d and %d", got, len(r.Events), len(r.Bad))
			}
		}
		seen["sent twice at once"] += count(r.Twice)
		for _, e := range r.Events {
			ids[e.ID]++
			seen["events without a product"] += count(e.ProductID == uuid.Nil)
			seen["late events"] += count(e.TS.Before(begin.Add(-24 * time.Hour)))
			seen["times of a UUIDv7"] += count(e.ID.Version() == 7)
			if at := time.UnixMilli(milliseconds(e.ID)); e.ID.Version() == 7 && !at.Equal(e.TS) {
				t.Fatalf("%s holds %s, and the account has %s", e.ID, at, e.TS)
			}
			if e.TS.After(begin.Add(50*time.Minute)) || !e.TS.Equal(e.TS.Truncate(time.Microsecond)) {
				t.Fatalf("an event of %s is refused, or rounded", e.TS)
			}
		}
	}
	for _, n := range ids {
		seen["ids sent again"] += count(n > 1)
	}
	for _, what := range []string{
		"orders", "orders of many lines", "refunds", "events without a product", "purchases", "purchases with a key", "purchases with an id", "keys and no id", "events", "bad events", "bulk", "lines",
		"bad events in bulk", "sent twice at once", "late events", "times of a UUIDv7", "ids sent again",
	} {
		if seen[what] < 10 {
			t.Errorf("%d %s", seen[what], what)
		}
	}
}

func count(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

func milliseconds(id uuid.UUID) (ms int64) {
	for _, b := range id[:6] {
		ms = ms<<8 | int64(b)
	}
	return ms
}

func items(t *testing.T, r traffic.Request) int {
	t.Helper()
	if r.ContentType == "application/x-ndjson" {
		return strings.Count(string(r.Body), "\n")
	}
	var body struct{ Events []json.RawMessage }
	if err := json.Unmarshal(r.Body, &body); err != nil {
		t.Fatal(err)
	}
	return len(body.Events)
}
