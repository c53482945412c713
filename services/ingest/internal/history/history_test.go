package history_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/history"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 123_456_000, time.UTC)

func TestCursorsOfPositions(t *testing.T) {
	t.Parallel()
	for _, p := range []history.Position{
		{TS: noon, ID: uuid.Max}, {TS: noon, Kind: history.Refunds, ID: uuid.New()}, {TS: time.UnixMicro(-5).UTC(), Dense: true}, {TS: time.UnixMicro(0).UTC()},
	} {
		got, err := history.ParsePosition(p.Cursor("asked"), "asked")
		if err != nil || *got != p {
			t.Errorf("%+v becomes %+v, %v", p, got, err)
		}
		if _, err := history.ParsePosition(p.Cursor("asked"), "other"); errs.CodeOf(err) != "cursor_mismatch" {
			t.Errorf("with other parameters: %v", err)
		}
	}
	for _, cursor := range []string{"", "?", "AAAA", history.Mark{TS: noon}.Cursor()} {
		if _, err := history.ParsePosition(cursor, ""); errs.CodeOf(err) != "invalid_cursor" {
			t.Errorf("%q: %v", cursor, err)
		}
	}
}

func TestCursorsOfMarks(t *testing.T) {
	t.Parallel()
	day := history.Range{From: noon.Truncate(24 * time.Hour), To: noon.Truncate(24*time.Hour).AddDate(0, 0, 1)}
	m := history.Mark{TS: noon, ID: uuid.New(), Line: 500}
	if got, err := history.ParseMark(m.Cursor(), day); err != nil || *got != m {
		t.Errorf("%+v becomes %+v, %v", m, got, err)
	}
	for _, other := range []history.Mark{{TS: day.From.Add(-time.Microsecond)}, {TS: day.To}} {
		if _, err := history.ParseMark(other.Cursor(), day); errs.CodeOf(err) != "invalid_cursor" {
			t.Errorf("of another day: %v", err)
		}
	}
}

func FuzzParsePosition(f *testing.F) {
	f.Add(history.Position{TS: noon, ID: uuid.Max, Dense: true}.Cursor(""))
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, cursor string) {
		p, err := history.ParsePosition(cursor, "")
		if err != nil {
			return
		}
		again, err := history.ParsePosition(p.Cursor(""), "")
		if err != nil || *again != *p {
			t.Errorf("%q is %+v, and then %+v, %v", cursor, p, again, err)
		}
	})
}

func FuzzParseMark(f *testing.F) {
	f.Add(history.Mark{TS: noon, ID: uuid.Max, Line: 1}.Cursor())
	f.Add("AAAA")
	all := history.Range{From: time.UnixMicro(-1 << 60), To: time.UnixMicro(1 << 60)}
	f.Fuzz(func(t *testing.T, cursor string) {
		m, err := history.ParseMark(cursor, all)
		if err != nil {
			return
		}
		again, err := history.ParseMark(m.Cursor(), all)
		if err != nil || *again != *m {
			t.Errorf("%q is %+v, and then %+v, %v", cursor, m, again, err)
		}
	})
}

// A day as the end is part of the range, whatever its length is, and an instant is not.
func TestRanges(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ zone, from, to, want string }{
		{"UTC", "2026-03-14", "2026-03-14", "2026-03-14T00:00:00Z 2026-03-15T00:00:00Z"},
		{"Asia/Kolkata", "2026-03-14", "2026-03-15", "2026-03-13T18:30:00Z 2026-03-15T18:30:00Z"},
		{"Europe/Berlin", "2026-03-29", "2026-03-29", "2026-03-28T23:00:00Z 2026-03-29T22:00:00Z"}, // 23 hours
		{"UTC", "2026-03-14T10:00:00+01:00", "2026-03-14T09:00:00.5Z", "2026-03-14T09:00:00Z 2026-03-14T09:00:00.5Z"},
		{"UTC", "", "2026-03-14T09:00:00.1234567Z", "0001-01-01T00:00:00Z 2026-03-14T09:00:00.123456Z"},
	} {
		zone, err := localtime.Load(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		r, err := history.NewRange(c.from, c.to, localtime.Always(zone))
		if got := r.From.Format(time.RFC3339Nano) + " " + r.To.Format(time.RFC3339Nano); err != nil || got != c.want {
			t.Errorf("%s to %s in %s: %s, %v, want %s", c.from, c.to, c.zone, got, err, c.want)
		}
	}
}

// Pages that are each complete up to their own ends become one page that is complete up to its end.
func TestMerge(t *testing.T) {
	t.Parallel()
	page := func(kind history.Kind, next int, seconds ...int) history.Page {
		var p history.Page
		for _, s := range seconds {
			p.Items = append(p.Items, history.Item{Position: history.Position{TS: noon.Add(time.Duration(s) * time.Second), Kind: kind}})
		}
		if next != 0 {
			p.Next = &history.Position{TS: noon.Add(time.Duration(next) * time.Second), Kind: kind}
		}
		return p
	}
	for name, c := range map[string]struct {
		limit int
		pages []history.Page
		want  []string
		next  string
	}{
		"all":             {9, []history.Page{page(0, 0, 9, 7), page(1, 0, 8), page(2, 0)}, []string{"9 0", "8 1", "7 0"}, ""},
		"one is too long": {9, []history.Page{page(0, 5, 9, 5), page(1, 0, 6, 4, 3)}, []string{"9 0", "6 1", "5 0"}, "5 0"},
		"nothing is sure": {9, []history.Page{page(0, 5), page(1, 0, 4, 3)}, nil, "5 0"},
		"one time":        {9, []history.Page{page(0, 0, 5), page(1, 5, 5), page(2, 0, 5)}, []string{"5 0", "5 1"}, "5 1"},
		"cut":             {2, []history.Page{page(0, 1, 9, 1), page(1, 0, 8, 7)}, []string{"9 0", "8 1"}, "8 1"},
	} {
		merged := history.Merge(c.limit, c.pages...)
		text := func(p history.Position) string { return fmt.Sprintf("%.0f %d", p.TS.Sub(noon).Seconds(), p.Kind) }
		var got []string
		for _, item := range merged.Items {
			got = append(got, text(item.Position))
		}
		next := ""
		if merged.Next != nil {
			next = text(*merged.Next)
		}
		if !slices.Equal(got, c.want) || next != c.next {
			t.Errorf("%s: %v and then %q, want %v and %q", name, got, next, c.want, c.next)
		}
	}
}

// After a position come the rows of later kinds at its time, and not those of earlier kinds.
func TestPositionsOfOtherKinds(t *testing.T) {
	t.Parallel()
	p := history.Position{TS: noon, Kind: history.Orders, ID: uuid.New()}
	want := []bool{false, true, true}
	var got []bool
	for _, kind := range []history.Kind{history.Events, history.Orders, history.Refunds} {
		row := history.Position{TS: noon, Kind: kind} // no id is lower
		got = append(got, p.Of(kind).Compare(row) < 0)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
