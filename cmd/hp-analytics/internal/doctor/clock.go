package doctor

import (
	"context"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/checkup"
)

const (
	skewNoticed = time.Second     // tokens and times of events are slightly off
	skewWrong   = 5 * time.Second // tokens are refused, events get another time than they have
)

func postgresClock(ctx context.Context, s *Site) ([]Finding, error) {
	return unless(s.skew("Postgres", func() (now time.Time, err error) {
		err = s.Login.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&now)
		return now, err
	}))
}

func redisClock(ctx context.Context, s *Site) ([]Finding, error) {
	return unless(s.skew("Redis", func() (time.Time, error) { return s.Redis.Time(ctx).Result() }))
}

// unless returns a finding unless there is an error.
func unless(f Finding, err error) ([]Finding, error) {
	if err != nil {
		return nil, err
	}
	return []Finding{f}, nil
}

// skew compares the clock of a server with that of this host. Half of the time that the answer takes is its uncertainty.
func (s *Site) skew(server string, ask func() (time.Time, error)) (Finding, error) {
	if _, err := ask(); err != nil { // connects, which takes longer
		return Finding{}, err
	}
	before := s.Now()
	there, err := ask()
	if err != nil {
		return Finding{}, err
	}
	took := s.Now().Sub(before)
	skew := there.Sub(before.Add(took / 2))
	return judgeSkew(server, skew, max(skew.Abs()-took/2, 0)), nil
}

// judgeSkew judges a skew that is at least so much.
func judgeSkew(server string, skew, least time.Duration) Finding {
	const do = "let chrony or systemd-timesyncd set the clocks of all machines (timedatectl, chronyc tracking)"
	text := skew.Round(time.Millisecond)
	switch {
	case least >= skewWrong:
		return checkup.Wrong(do, "the clock of %s differs by %s from that of this host: tokens are refused, and events get wrong times", server, text)
	case least >= skewNoticed:
		return checkup.Warn(do, "the clock of %s differs by %s from that of this host", server, text)
	}
	return checkup.Fine("the clock of %s differs by %s from that of this host", server, text)
}
