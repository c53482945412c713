package fault_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hp-analytics/hp-analytics/test/torture/internal/fault"
	"github.com/hp-analytics/hp-analytics/test/torture/internal/proxy"
)

// stage is a platform that records the faults that hit it.
type stage struct {
	begin time.Time

	mu       sync.Mutex
	notes    []string
	armed    []chan struct{}
	full     int // bursts until the committer is full
	overload int
	broken   error // of every start
}

func (s *stage) note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notes = append(s.notes, time.Since(s.begin).String()+" "+fmt.Sprintf(format, args...))
}

type part struct {
	*stage
	name string
}

func (p part) Start(context.Context) error { p.note("start %s", p.name); return p.broken }
func (p part) Kill() error                 { p.note("kill %s", p.name); return nil }
func (p part) Pause() error                { p.note("pause %s", p.name); return nil }
func (p part) Resume() error               { p.note("resume %s", p.name); return nil }
func (p part) Sever() int                  { p.note("sever %s", p.name); return 1 }

func (p part) Arm(moment proxy.Moment) <-chan struct{} {
	p.note("arm %s %d", p.name, moment)
	p.mu.Lock()
	defer p.mu.Unlock()
	done := make(chan struct{})
	p.armed = append(p.armed, done)
	return done
}

func (s *stage) Burst(_ context.Context, number int) {
	s.note("burst %d", number)
	s.mu.Lock()
	defer s.mu.Unlock()
	if number >= s.full {
		s.overload++
	}
}

func (s *stage) Overloads() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.overload
}

func (s *stage) platform() fault.Platform {
	parts, proxies := map[string]fault.Part{}, map[string]fault.Proxy{}
	for _, name := range []string{fault.Aggregator, fault.Ingest, fault.Redis, fault.Postgres} {
		parts[name], proxies[name] = part{s, name}, part{s, name}
	}
	return fault.Platform{
		Parts: parts, Proxies: proxies, Committer: s,
		WipeRedis: func(context.Context) error { s.note("wipe"); return nil },
		Network:   func(target string, drop bool) { s.note("drop %s %t", target, drop) },
		ReadOnly:  func(_ context.Context, on bool) error { s.note("read-only %t", on); return nil },
		Damage:    func(context.Context) (string, error) { s.note("damage"); return ", set aside", nil },
		Slow:      func(_ context.Context, d time.Duration) (string, error) { s.note("slow %s", d); return ", slow", nil },
		Counts:    func() map[string]int { return map[string]int{"requests": s.Overloads()} },
	}
}

// inject runs faults in a synctest bubble and returns what happened when, sorted.
func inject(t *testing.T, s *stage, faults ...fault.Fault) (map[fault.Kind]int, []string, error) {
	t.Helper()
	s.begin = time.Now()
	counts, err := fault.NewInjector(s.platform(), io.Discard).Run(t.Context(), faults)
	slices.Sort(s.notes)
	return counts, s.notes, err
}

func kind(action fault.Action, target string) fault.Kind {
	return fault.Kind{Action: action, Target: target}
}

func TestInjector(t *testing.T) {
	t.Parallel()
	const second = time.Second
	for _, test := range []struct {
		name   string
		stage  *stage
		faults []fault.Fault
		want   []string
	}{
		{"kill", &stage{}, []fault.Fault{{Kind: kind(fault.Kill, fault.Redis), At: second, For: 2 * second}}, []string{"1s kill redis", "3s start redis"}},
		{"kill everything", &stage{}, []fault.Fault{{Kind: kind(fault.Kill, fault.Everything), At: second, For: second}}, []string{
			"1s kill aggregator", "1s kill ingest", "1s kill postgres", "1s kill redis",
			"2s start aggregator", "2s start ingest", "2s start postgres", "2s start redis",
		}},
		{"pause", &stage{}, []fault.Fault{{Kind: kind(fault.Pause, fault.Ingest), At: second, For: second}}, []string{"1s pause ingest", "2s resume ingest"}},
		{"drop", &stage{}, []fault.Fault{{Kind: kind(fault.Drop, fault.Aggregator), At: second, For: second}}, []string{
			"1s drop aggregator true", "2s drop aggregator false",
		}},
		{"read-only", &stage{}, []fault.Fault{{Kind: kind(fault.ReadOnly, fault.Postgres), At: second, For: second}}, []string{
			"1s read-only true", "2s read-only false",
		}},
		{"a damaged batch waits until the aggregator runs", &stage{}, []fault.Fault{
			{Kind: kind(fault.Pause, fault.Aggregator), At: second, For: 2 * second},
			{Kind: kind(fault.Damage, fault.Aggregator), At: 2 * second},
			{Kind: kind(fault.Slow, fault.Ingest), At: 2 * second, For: second},
		}, []string{"1s pause aggregator", "2s slow 1s", "3s damage", "3s resume aggregator"}},
		{"two faults of one part take turns, others do not wait", &stage{}, []fault.Fault{
			{Kind: kind(fault.Pause, fault.Ingest), At: second, For: 3 * second},
			{Kind: kind(fault.Kill, fault.Ingest), At: 2 * second, For: second},
			{Kind: kind(fault.Wipe, fault.Redis), At: 3 * second},
			{Kind: kind(fault.Sever, fault.Ingest), At: 3 * second},
		}, []string{"1s pause ingest", "3s sever ingest", "3s wipe", "4s kill ingest", "4s resume ingest", "5s start ingest"}},
		{"fill, at the second try", &stage{full: 2}, []fault.Fault{{Kind: kind(fault.Fill, fault.Ingest), At: second}}, []string{
			"1s burst 1", "1s pause postgres", "4s resume postgres", "5.005s resume postgres", "5s burst 2", "5s pause postgres",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				counts, notes, err := inject(t, test.stage, test.faults...)
				if err != nil || !slices.Equal(notes, test.want) {
					t.Errorf("%v\n got %q\nwant %q", err, notes, test.want)
				}
				for _, f := range test.faults {
					if counts[f.Kind] != 1 {
						t.Errorf("%d of %q are counted", counts[f.Kind], f.Kind)
					}
				}
			})
		})
	}
}

func TestFaultsThatDoNotHappen(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, s := range map[string]*stage{
		"no commit to cut":        {},
		"a committer never full":  {full: 100},
		"a part that stays ended": {broken: broken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				k := fault.Kind{Action: fault.Cut, Target: fault.Ingest, Moment: proxy.During}
				switch {
				case s.full > 0:
					k = kind(fault.Fill, fault.Ingest)
				case s.broken != nil:
					k = kind(fault.Kill, fault.Ingest)
				}
				if counts, _, err := inject(t, s, fault.Fault{Kind: k, For: time.Second}); err == nil || counts[k] != 0 {
					t.Errorf("counted %d, %v", counts[k], err)
				}
			})
		})
	}
}

func TestACutIsCountedWhenItHappens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &stage{}
		k := fault.Kind{Action: fault.Cut, Target: fault.Aggregator, Moment: proxy.Partly}
		go func() {
			<-time.After(30 * time.Second)
			s.mu.Lock()
			defer s.mu.Unlock()
			close(s.armed[0])
		}()
		if counts, notes, err := inject(t, s, fault.Fault{Kind: k}); err != nil || counts[k] != 1 || time.Since(s.begin) != 30*time.Second {
			t.Errorf("counted %d, %v, after %s: %q", counts[k], err, time.Since(s.begin), notes)
		}
	})
}

// TestInterrupt checks that a paused part is resumed when the run is interrupted.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &stage{begin: time.Now()}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := fault.NewInjector(s.platform(), io.Discard).Run(ctx, []fault.Fault{
			{Kind: kind(fault.Pause, fault.Postgres), For: time.Hour},
			{Kind: kind(fault.Drop, fault.Ingest), For: time.Hour},
			{Kind: kind(fault.Wipe, fault.Redis), At: time.Hour},
		})
		if !errors.Is(err, context.DeadlineExceeded) || !slices.Equal(slices.Sorted(slices.Values(s.notes)), []string{
			"0s drop ingest true", "0s pause postgres", "1s drop ingest false", "1s resume postgres",
		}) {
			t.Errorf("%v, %q", err, s.notes)
		}
	})
}
