package event

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"
)

// sent returns a draft that was sent with a ts so far ahead, by a clock that is so far ahead (0: it does not say).
func sent(ahead, clock time.Duration) Draft {
	d := goodDraft()
	d.set(FieldTS)
	d.TS = now.Add(ahead)
	if clock != 0 {
		d.set(FieldSentAt)
		d.SentAt = now.Add(clock)
	}
	return d
}

func TestWhichTimesAreTooFarAhead(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		ahead, clock time.Duration
		want         bool
	}{
		"now":                                {0, 0, false},
		"an hour":                            {time.Hour, 0, false},
		"61 minutes":                         {61 * time.Minute, 0, true},
		"61 minutes by such a clock":         {61 * time.Minute, 61 * time.Minute, false},
		"3 hours by a clock of 1 hour":       {3 * time.Hour, time.Hour, true},
		"2 hours by a clock of 1 hour":       {2 * time.Hour, time.Hour, false},
		"a day by such a clock":              {24 * time.Hour, 24 * time.Hour, false},
		"two days by such a clock":           {48 * time.Hour, 48 * time.Hour, true},
		"61 minutes by a clock that is late": {61 * time.Minute, -time.Minute, true},
	} {
		d := sent(tc.ahead, tc.clock)
		if got := d.ahead(d.TS, now); got != tc.want {
			t.Errorf("%s: too far ahead is %t", name, got)
		}
	}
}

// TestSkewIsKeptBeside checks that the skew of the clock is a property, and never moves ts.
func TestSkewIsKeptBeside(t *testing.T) {
	t.Parallel()
	for clock, want := range map[time.Duration]string{
		0: "", time.Second: "", 61 * time.Minute: `{"$skew_ms":-3660000}`, -1500 * time.Millisecond: `{"$skew_ms":1500}`,
	} {
		d := sent(-time.Minute, clock)
		e, _ := rules.event(&d, shop, now)
		if string(e.Properties) != want || !e.TS.Equal(now.Add(-time.Minute)) {
			t.Errorf("a clock %s ahead: %s at %s", clock, e.Properties, e.TS)
		}
	}
}

func TestWithMember(t *testing.T) {
	t.Parallel()
	for object, want := range map[string]string{
		"": `{"$n":1}`, "{}": `{"$n":1}`, " { } ": `{"$n":1}`, `{"a":{}}`: `{"a":{},"$n":1}`, "{\"a\": 2\n}\n": `{"a": 2,"$n":1}`,
	} {
		if got := withMember([]byte(object), "$n", "1"); string(got) != want || !json.Valid(got) {
			t.Errorf("%q: %s, want %s", object, got, want)
		}
	}
	shared := make([]byte, 0, 100)
	shared = append(shared, `{"a":1}`...)
	if withMember(shared, "$n", "1"); string(shared[:7]) != `{"a":1}` || string(shared[:cap(shared)][7:9]) == `"$` {
		t.Errorf("the memory of the body was changed: %s", shared)
	}
}

// TestClampedEventsAreCountedOnce sends an event that is too far ahead again and again.
func TestClampedEventsAreCountedOnce(t *testing.T) {
	t.Parallel()
	w, recorder := newWorld()
	draft := withID(goodDraft(), NewID())
	draft.TS = time.Now().Add(3 * time.Hour).Truncate(time.Microsecond)
	var first Verdict
	for i, want := range []Status{Accepted, Duplicate, Duplicate} {
		drafts := []Draft{draft}
		_, verdicts, err := recorder.Events(t.Context(), shop, drafts)
		if err != nil || verdicts[0].Status != want || !drafts[0].Clamped || drafts[0].Refused() {
			t.Fatalf("attempt %d: %+v, %v", i, verdicts, err)
		}
		if i == 0 {
			first = verdicts[0]
		}
		if diff := cmp.Diff(first.Identity, verdicts[0].Identity); diff != "" {
			t.Errorf("attempt %d has another identity (-first +now):\n%s", i, diff)
		}
	}
	e := w.events[draft.ID]
	if time.Since(e.TS).Abs() > time.Minute || string(e.Properties) != `{"$ts_sent":"`+draft.TS.UTC().Format(time.RFC3339Nano)+`"}` {
		t.Errorf("stored at %s with %s", e.TS, e.Properties)
	}
}

// TestAClampedEventIsKnownWhenItsTimeHasCome sends an event again when its ts is not too far ahead any more. The store tells that
// it was clamped before.
func TestAClampedEventIsKnownWhenItsTimeHasCome(t *testing.T) {
	t.Parallel()
	w, recorder := newWorld()
	at := time.Now().Add(-2 * time.Hour).UTC()
	draft := withID(goodDraft(), NewID())
	w.events[draft.ID] = Event{Name: 4, Properties: []byte(`{"$ts_sent":"` + draft.TS.UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano) + `"}`)}
	w.refuse = func(e Event) error {
		if e.TS.Equal(at) {
			return nil
		}
		return ClampedError{TS: at}
	}
	drafts := []Draft{draft}
	_, verdicts, err := recorder.Events(t.Context(), shop, drafts)
	if err != nil || verdicts[0].Status != Duplicate || !verdicts[0].TS.Equal(at) || !drafts[0].Clamped {
		t.Errorf("got %+v, %v", verdicts, err)
	}
}

// TestTheFirstRequestDecidesWhatIsTooFarAhead sends an event by a client that says that its clock is ahead, and by one that does
// not say it, at the same time: neither has stored it when the other asks.
func TestTheFirstRequestDecidesWhatIsTooFarAhead(t *testing.T) {
	t.Parallel()
	for name, known := range map[string]bool{"the clock is known first": true, "the clock is known later": false} {
		w, recorder := newWorld()
		draft := withID(goodDraft(), NewID())
		draft.TS = time.Now().Add(90 * time.Minute).Truncate(time.Microsecond)
		said := draft
		said.set(FieldSentAt)
		said.SentAt = draft.TS
		orders := []Draft{draft, said}
		if known {
			orders = []Draft{said, draft}
		}
		var times []time.Time
		for i := range orders {
			w.events = map[uuid.UUID]Event{} // the other one is not committed yet
			_, verdict, err := recorder.Event(t.Context(), shop, &orders[i])
			if err != nil {
				t.Fatal(err)
			}
			times = append(times, verdict.TS)
		}
		if !times[0].Equal(times[1]) || times[0].Equal(draft.TS.UTC()) != known {
			t.Errorf("%s: counted at %v, ts is %v", name, times, draft.TS)
		}
	}
}

// TestAnIDWithoutTimeIsCountedWhenItIsFirstReceived sends events with an id and no ts twice, in one request and in two.
func TestAnIDWithoutTimeIsCountedWhenItIsFirstReceived(t *testing.T) {
	t.Parallel()
	w, recorder := newWorld()
	for _, set := range []func(d *Draft){
		func(d *Draft) { d.ID = uuid.New() },
		func(d *Draft) { d.IDText = "ajs-next-1732600000000-6f1c" },
		func(d *Draft) { d.IDText = "ZZZZZZZZZZZZZZZZZZZZZZZZZZ" },
		func(d *Draft) { d.IDText = "7ZZZZZZZZZZZZZZZZZZZZZZZZZ" }, // a ULID of the year 10889, or some other text
	} {
		draft := goodDraft()
		draft.set(FieldID)
		set(&draft)
		_, first, err := recorder.Events(t.Context(), shop, []Draft{draft, draft})
		if err != nil || first[0].Status != Accepted || first[1].Status != Duplicate || time.Since(first[0].TS).Abs() > time.Minute {
			t.Fatalf("%+v, %v", first, err)
		}
		again := draft
		_, second, err := recorder.Event(t.Context(), shop, &again)
		if err != nil || second.Status != Duplicate || second.Identity != first[0].Identity || again.Clamped {
			t.Errorf("again: %+v, want %+v; %v", second, first[0], err)
		}
	}
	if len(w.times) != 4 {
		t.Errorf("%d receipts are recorded", len(w.times))
	}
}

// TestATimeInAnIDIsTaken of a UUIDv7 and of a ULID: nothing needs to be recorded.
func TestATimeInAnIDIsTaken(t *testing.T) {
	t.Parallel()
	w, recorder := newWorld()
	at := time.Now().Add(-time.Hour).UTC().Truncate(time.Millisecond)
	var id ulid.ULID
	if err := id.SetTime(ulid.Timestamp(at)); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{id.String(), strings.ToLower(id.String())} {
		draft := goodDraft()
		draft.set(FieldID)
		draft.IDText = text
		_, verdict, err := recorder.Event(t.Context(), shop, &draft)
		if err != nil || !verdict.TS.Equal(at) {
			t.Errorf("%s: %+v, %v, want %s", text, verdict, err, at)
		}
	}
	if len(w.times) != 0 {
		t.Errorf("%v are recorded", w.times)
	}
}
