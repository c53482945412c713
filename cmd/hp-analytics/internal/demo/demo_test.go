package demo

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/tally"
)

// wantNoKeys checks that every API key was revoked.
func (p *fakePlatform) wantNoKeys(t *testing.T) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, key := range p.keys {
		if !key.revoked {
			t.Errorf("the API key %s was not revoked", id)
		}
	}
}

// run runs a demo on p and returns its report.
func run(t *testing.T, p *fakePlatform) (report string, err error) {
	t.Helper()
	var out strings.Builder
	err = Run(t.Context(), p.options(&out))
	p.wantNoKeys(t)
	return out.String(), err
}

func TestCorrectPlatform(t *testing.T) {
	t.Parallel()
	p := newFakePlatform(t)
	report, err := run(t, p)
	if err != nil {
		t.Fatalf("%v\n%s", err, report)
	}
	if p.accepted != 3_000 || len(p.keys) != 1 {
		t.Errorf("the platform accepted %d events, with %d keys", p.accepted, len(p.keys))
	}
	for _, want := range []string{"All numbers are equal.", "3,000 events accepted", "0 rejected", "0 retries"} {
		if !strings.Contains(report, want) {
			t.Errorf("the report lacks %q:\n%s", want, report)
		}
	}

	// The same demo again adds nothing, and the numbers are still equal.
	rows := len(p.rows)
	report, err = run(t, p)
	if err != nil || !strings.Contains(report, "0 events accepted") || !strings.Contains(report, "All numbers are equal.") {
		t.Errorf("second run: %v\n%s", err, report)
	}
	if len(p.rows) != rows || len(p.products) != 20 {
		t.Errorf("the second run left %d rows of %d, %d products", len(p.rows), rows, len(p.products))
	}

	// Another demo has its own products, and shares the ranking.
	other := p.options(io.Discard)
	other.Seed++
	if err := Run(t.Context(), other); err != nil {
		t.Errorf("another seed: %v", err)
	}
	if len(p.products) != 40 || len(p.rows) < rows+3_000 {
		t.Errorf("another seed made %d products and %d rows of %d", len(p.products), len(p.rows), rows)
	}
}

// TestOverloadAndLostAnswers counts everything once, whatever happens to the requests.
func TestOverloadAndLostAnswers(t *testing.T) {
	t.Parallel()
	p := newFakePlatform(t)
	p.disturb = func(request int) disturbance {
		switch request % 9 {
		case 2: // the creation of the API key among them, which leaves a second key
			return lostAnswer
		case 5:
			return overload
		default:
			return none
		}
	}
	report, err := run(t, p)
	if err != nil || !strings.Contains(report, "All numbers are equal.") {
		t.Errorf("%v\n%s", err, report)
	}
	if strings.Contains(report, " 0 retries") || !strings.Contains(report, "retrying: ") {
		t.Errorf("the report does not mention the retries:\n%s", report)
	}
	if len(p.keys) != 2 {
		t.Errorf("%d API keys were created: the lost answer was not that of a key", len(p.keys))
	}
}

// TestEveryWrongNumberIsFound changes one number of one product by one.
func TestEveryWrongNumberIsFound(t *testing.T) {
	t.Parallel()
	for _, measure := range tally.Measures() {
		t.Run(string(measure), func(t *testing.T) {
			t.Parallel()
			p := newFakePlatform(t)
			changed := 0
			p.falsify = func(path string, c *tally.Counts) {
				if !strings.HasPrefix(path, "series ") || !strings.HasSuffix(path, "-P00003") || changed > 0 {
					return
				}
				changed++
				*measure.Field(c)++
			}
			report, err := run(t, p)
			e, ok := errors.AsType[*DifferenceError](err)
			if !ok || len(e.Differences) != 1 {
				t.Fatalf("%v\n%s", err, report)
			}
			if d := e.Differences[0]; d.What != string(measure) || !strings.HasSuffix(d.Subject, "-P00003") || d.Platform != d.Own+1 {
				t.Errorf("%+v", d)
			}
			if !strings.Contains(report, "1 number differs:") || !strings.Contains(report, e.Differences[0].String()) {
				t.Errorf("the report does not list it:\n%s", report)
			}
		})
	}
}

func TestWrongNumbersInOtherAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ path, subject string }{
		{"point 2026-03-16", "all products on 2026-03-16"},
		{"top views", "product "},
		{"summary demo-7-", "user demo-7-"},
	} {
		t.Run(c.path, func(t *testing.T) {
			t.Parallel()
			p := newFakePlatform(t)
			changed := 0
			p.falsify = func(path string, counts *tally.Counts) {
				if strings.HasPrefix(path, c.path) && changed == 0 {
					changed++
					counts.Views++
				}
			}
			report, err := run(t, p)
			e, ok := errors.AsType[*DifferenceError](err)
			if !ok || len(e.Differences) != 1 || !strings.HasPrefix(e.Differences[0].Subject, c.subject) || !strings.Contains(e.Differences[0].What, "views") {
				t.Errorf("%#v\n%s", err, report)
			}
		})
	}
}

// TestWrongSignUpsAreFound falsifies the events that concern no product.
func TestWrongSignUpsAreFound(t *testing.T) {
	t.Parallel()
	for path, subject := range map[string]string{
		"day 2026-03-16T": "the day of 2026-03-16T00:00:00Z", "hour 2026-03-17T09": "the hour of 2026-03-17T09:00:00Z", "all by day": "all days",
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			p := newFakePlatform(t)
			p.falsify = func(of string, c *tally.Counts) {
				if strings.HasPrefix(of, path) {
					c.Events++
				}
			}
			report, err := run(t, p)
			e, ok := errors.AsType[*DifferenceError](err)
			if !ok || len(e.Differences) != 1 || e.Differences[0].Subject != subject || e.Differences[0].What != "sign-ups" {
				t.Errorf("%#v\n%s", err, report)
			}
		})
	}
}

// TestDemoOfAZone runs a demo in a project of its own, over a day of 25 hours.
func TestDemoOfAZone(t *testing.T) {
	t.Parallel()
	p := newFakePlatform(t)
	var err error
	if p.zone, err = time.LoadLocation("Europe/Berlin"); err != nil {
		t.Fatal(err)
	}
	p.project = "demo-europe-berlin"
	var out strings.Builder
	hours := map[string]bool{}
	p.falsify = func(path string, _ *tally.Counts) {
		if strings.HasPrefix(path, "hour ") {
			hours[path] = true
		}
	}
	options := p.options(&out)
	options.Zone, options.Now = "Europe/Berlin", time.Date(2026, 10, 26, 12, 0, 0, 0, time.UTC)
	if err := Run(t.Context(), options); err != nil || !strings.Contains(out.String(), "2026-10-24 to 2026-10-26 in Europe/Berlin") {
		t.Errorf("%v\n%s", err, out.String())
	}
	if len(hours) != 25 || !hours["hour 2026-10-25T02:00:00+02:00"] || !hours["hour 2026-10-25T02:00:00+01:00"] {
		t.Errorf("hours that were compared: %v", hours)
	}
	options.Zone = "Europe/Atlantis"
	if err := Run(t.Context(), options); err == nil || !strings.Contains(err.Error(), "Atlantis") {
		t.Errorf("an unknown zone: %v", err)
	}
}

func TestRefusedEventsAreDifferences(t *testing.T) {
	t.Parallel()
	p := newFakePlatform(t)
	refused := 0
	p.refuse = func(event map[string]any) bool {
		refused++
		return refused == 100
	}
	report, err := run(t, p)
	if _, ok := errors.AsType[*DifferenceError](err); !ok || !strings.Contains(report, "unknown_product: There is none.") {
		t.Errorf("%v\n%s", err, report)
	}
}

func TestPendingEventsThatStayPending(t *testing.T) {
	t.Parallel()
	p := newFakePlatform(t)
	p.stuck = true
	options := p.options(io.Discard)
	options.RetryTimeout = 500 * time.Millisecond
	if err := Run(t.Context(), options); !errors.Is(err, errIncomplete) || !strings.Contains(err.Error(), "3 events are pending") {
		t.Errorf("%v", err)
	}
}

func TestWrongPassword(t *testing.T) {
	t.Parallel()
	options := newFakePlatform(t).options(io.Discard)
	options.Password = "wrong"
	if err := Run(t.Context(), options); err == nil || !strings.Contains(err.Error(), "invalid_credentials: Wrong e-mail address or password.") {
		t.Errorf("%v", err)
	}
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	p := newFakePlatform(t)
	p.cutOff = true
	ctx, cancel := context.WithCancel(t.Context())
	p.disturb = func(request int) disturbance {
		if request == 20 {
			cancel()
		}
		return none
	}
	if err := Run(ctx, p.options(io.Discard)); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	p.wantNoKeys(t)
}
