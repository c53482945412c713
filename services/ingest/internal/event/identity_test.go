package event

import (
	"testing"
	"time"

	"github.com/google/uuid"
)

func TestIdentity(t *testing.T) {
	t.Parallel()
	sent := time.Date(2026, 3, 14, 10, 0, 0, 123_456_789, time.FixedZone("CET", 3600))
	v7 := idAt(now.Add(-time.Hour))
	t.Run("a retry with id and ts has the same key", func(t *testing.T) {
		t.Parallel()
		d := FactDraft{Sent: FieldID | FieldTS, Good: FieldID | FieldTS, ID: v7, TS: sent}
		id, ts := rules.identify(&d, Caller{}, now)
		if want := time.Date(2026, 3, 14, 9, 0, 0, 123_456_000, time.UTC); id != v7 || ts != want {
			t.Errorf("got %s %s, want %s %s: what was sent, in UTC and microseconds", id, ts, v7, want)
		}
	})
	t.Run("a UUIDv7 alone is a whole key", func(t *testing.T) {
		t.Parallel()
		d := FactDraft{Sent: FieldID, Good: FieldID, ID: v7}
		id, ts := rules.identify(&d, Caller{}, now)
		if want := now.Add(-time.Hour); id != v7 || ts != want {
			t.Errorf("got %s %s, want the time inside of the id, %s", id, ts, want)
		}
	})
	t.Run("ts alone gets an id", func(t *testing.T) {
		t.Parallel()
		d := FactDraft{Sent: FieldTS, Good: FieldTS, TS: sent}
		id, ts := rules.identify(&d, Caller{}, now)
		if id.Version() != 7 || !ts.Equal(sent.Truncate(time.Microsecond)) {
			t.Errorf("got %s %s", id, ts)
		}
	})
	t.Run("nothing gets an id and its time", func(t *testing.T) {
		t.Parallel()
		var d FactDraft
		id, ts := rules.identify(&d, Caller{}, time.Now())
		if inside, ok := timeOf(id); !ok || !inside.Equal(ts) || time.Since(ts).Abs() > time.Minute || d.Refused() {
			t.Errorf("got %s %s, problems %v", id, ts, d.Problems)
		}
	})
}

func TestTimeOf(t *testing.T) {
	t.Parallel()
	// The example of RFC 9562, appendix A.6.
	got, ok := timeOf(uuid.MustParse("017F22E2-79B0-7CC3-98C4-DC0C0C07398F"))
	if want := time.Date(2022, 2, 22, 19, 22, 22, 0, time.UTC); !ok || got != want {
		t.Errorf("got %s %t, want %s", got, ok, want)
	}
	for _, id := range []string{
		"c232ab00-9414-11ec-b3c8-9f6bdeced846", // version 1
		"919108f7-52d1-4320-9bac-f847db4148a8", // version 4
		"017f22e2-79b0-7cc3-18c4-dc0c0c07398f", // version 7 digits in another variant
	} {
		if _, ok := timeOf(uuid.MustParse(id)); ok {
			t.Errorf("%s is taken for a UUIDv7", id)
		}
	}
}
