package facts

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var base = time.Date(2026, 11, 27, 12, 0, 0, 123456000, time.UTC)

func TestEventsComeBack(t *testing.T) {
	want := []Event{
		{TS: base, User: 1, Product: 1, Name: 1},
		{TS: base.Add(-48 * time.Hour), User: 1<<63 - 1, Product: 1<<31 - 1, Name: 1<<15 - 1},
		{TS: base.Add(time.Microsecond), User: 70_000, Name: 300},
	}
	data := AppendHeader(nil, base)
	for _, e := range want {
		data = AppendEvent(data, base, e)
	}
	r, err := NewReader(data)
	if err != nil {
		t.Fatal(err)
	}
	var got []Event
	for e := (Event{}); r.Event(&e); {
		got = append(got, e)
	}
	if diff := cmp.Diff(want, got); diff != "" || r.Err() != nil {
		t.Errorf("%v (-want +got):\n%s", r.Err(), diff)
	}
}

func TestLinesComeBack(t *testing.T) {
	want := []Line{
		{TS: base, User: 5, Product: 6, Currency: [3]byte([]byte("JPY")), Units: 3, AmountMinor: 50_000, First: true, FirstOf: true},
		{TS: base, User: 5, Product: 6, Currency: [3]byte([]byte("JPY")), Units: 1, AmountMinor: 0},
		{TS: base.Add(time.Hour), User: 5, Product: 7, Currency: [3]byte([]byte("KWD")), Units: 0, AmountMinor: 1<<63 - 1, FirstOf: true},
	}
	data := AppendHeader(nil, base)
	for _, l := range want {
		data = AppendLine(data, base, l)
	}
	r, err := NewReader(data)
	if err != nil {
		t.Fatal(err)
	}
	var got []Line
	for l := (Line{}); r.Line(&l); {
		got = append(got, l)
	}
	if diff := cmp.Diff(want, got); diff != "" || r.Err() != nil {
		t.Errorf("%v (-want +got):\n%s", r.Err(), diff)
	}
}

// Cut anywhere, a batch either has fewer whole records or is damaged: it never has others.
func TestDamageIsNoticed(t *testing.T) {
	whole := []Event{{TS: base, User: 1000, Product: 1000, Name: 1000}, {TS: base.Add(time.Second), User: 2000, Product: 2000, Name: 2000}}
	data := AppendHeader(nil, base)
	for _, e := range whole {
		data = AppendEvent(data, base, e)
	}
	for cut := range data {
		r, err := NewReader(data[:cut])
		n := 0
		if err == nil {
			for e := (Event{}); r.Event(&e); n++ {
				if e != whole[n] {
					t.Errorf("cut at %d: record %d is %+v", cut, n, e)
				}
			}
			err = r.Err()
		}
		if n >= len(whole) || err != nil && !errors.Is(err, ErrDamaged) {
			t.Errorf("cut at %d: %d records, %v", cut, n, err)
		}
	}
	for _, damaged := range [][]byte{nil, {0}, {2, 0}, append(AppendHeader(nil, base), 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 1, 1)} {
		r, err := NewReader(damaged)
		if err == nil {
			for e := (Event{}); r.Event(&e); {
				t.Errorf("%v has the event %+v", damaged, e)
			}
			err = r.Err()
		}
		if !errors.Is(err, ErrDamaged) {
			t.Errorf("%v: %v", damaged, err)
		}
	}
}

func TestAnEventIsSmall(t *testing.T) {
	usual := AppendEvent(nil, base, Event{TS: base.Add(700 * time.Millisecond), User: 1_000_000, Product: 10_000, Name: 20})
	if len(usual) > 10 {
		t.Errorf("an event of a usual shop takes %d bytes", len(usual))
	}
}
