package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/hp-analytics/hp-analytics/test/bench/internal/load"
	"github.com/hp-analytics/hp-analytics/test/bench/internal/process"
)

const (
	jwtSecret = "a secret that only this benchmark uses"
	// rivalPatience is how long a rival may take to work off what a load has left behind.
	rivalPatience = 2 * time.Minute
)

// rival is what the platform is compared with: a service and a worker with the usual API, on databases of their own.
type rival struct {
	databases
	// start starts the service on an address, or the worker if there is none.
	start func(address string, environ []string) (*process.Process, error)
	// reset empties its queue and its tables but for users and products.
	reset func(ctx context.Context) error
	// backlog returns how many jobs are not done.
	backlog func(ctx context.Context) (int, error)
	// right reports whether the rollups are those of the events stored.
	right  func(ctx context.Context) (bool, error)
	tokens []string
	table  string // of events
}

// contest is a load that every system can be put under.
type contest struct {
	path   string
	perOne int
	bodies func(b bodies) []string
}

var (
	contestEvents    = contest{"/events", 1, bodies.eventRequests}
	contestPurchases = contest{"/purchases", 1, bodies.purchaseRequests}
	contestBulk100   = contest{"/events/bulk", 100, func(b bodies) []string { return b.bulk(100) }}
	contestBulk1000  = contest{"/events/bulk", 1000, func(b bodies) []string { return b.bulk(1000) }}
)

// userTokens makes an HS256 token for each user.
func userTokens() ([]string, error) {
	tokens := make([]string, users)
	now := time.Now()
	for i := range tokens {
		claims := jwt.MapClaims{"sub": strconv.Itoa(i + 1), "role": "user", "iat": now.Unix(), "exp": now.Add(24 * time.Hour).Unix()}
		token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(jwtSecret))
		if err != nil {
			return nil, fmt.Errorf("sign a token: %w", err)
		}
		tokens[i] = token
	}
	return tokens, nil
}

// send puts a load on the rival, from empty tables, with or without its worker, and with it waits until the rollups are
// right.
func (v *rival) send(ctx context.Context, o options, name string, c contest, worker bool, environ ...string) (r row, err error) {
	if err := v.reset(ctx); err != nil {
		return r, err
	}
	service, url, err := v.startService(ctx, environ)
	if err != nil {
		return r, err
	}
	defer service.Stop()
	pids := map[string][]int{"service": {service.PID()}}
	if worker {
		w, err := v.start("", environ)
		if err != nil {
			return r, err
		}
		defer w.Stop()
		pids["worker"] = []int{w.PID()}
	}
	l := load.Load{
		URL: url, Connections: o.connectionsFor(c.perOne), Duration: o.duration,
		Requests: requests(url, c.path, v.tokens, c.bodies(naiveBodies()), jsonType),
	}
	if r, err = measure(ctx, name, l, c.perOne, v.subject(pids, service.PID())); err != nil || !worker {
		return r, err
	}
	begin := time.Now()
	err = until(ctx, rivalPatience, "the rollups are right", func() (bool, error) {
		left, err := v.backlog(ctx)
		if err != nil || left > 0 {
			return false, err
		}
		return v.right(ctx)
	})
	r.after = time.Since(begin)
	return r, err
}

func (v *rival) startService(ctx context.Context, environ []string) (*process.Process, string, error) {
	address, err := process.FreeAddress(ctx)
	if err != nil {
		return nil, "", err
	}
	service, err := v.start(address, environ)
	if err != nil {
		return nil, "", err
	}
	url := "http://" + address
	if err := untilAnswered(ctx, service, url+"/health"); err != nil {
		service.Stop()
		return nil, "", err
	}
	return service, url, nil
}

// drain lets jobs pile up, then measures how fast the worker does them, for at most patience.
func (v *rival) drain(ctx context.Context, o options, name string, c contest, patience time.Duration, environ ...string) (row, error) {
	stored, err := v.send(ctx, o, name, c, false, environ...)
	if err != nil {
		return row{}, err
	}
	jobs, err := v.backlog(ctx)
	if err != nil {
		return row{}, err
	}
	perJob, err := v.perJob(ctx, jobs)
	if err != nil {
		return row{}, err
	}
	worker, err := v.start("", environ)
	if err != nil {
		return row{}, err
	}
	defer worker.Stop()
	s := v.subject(map[string][]int{"worker": {worker.PID()}}, 0)
	first := jobs
	if err := until(ctx, patience, "the worker has begun", func() (bool, error) {
		first, err = v.backlog(ctx)
		return first < jobs, err
	}); err != nil {
		return row{}, err
	}
	before, begin, left := s.cpu(), time.Now(), first
	err = until(ctx, patience, "the backlog is gone", func() (bool, error) {
		left, err = v.backlog(ctx)
		return left == 0 || time.Since(begin) > o.duration, err
	})
	if err != nil {
		return row{}, err
	}
	took, after := time.Since(begin), s.cpu()
	if first == left {
		return row{}, errors.New("nothing was drained")
	}
	r := workRow(name, int(float64(first-left)*perJob), took, before, after)
	r.failed = stored.failed
	return r, nil
}

// perJob returns how many events a job stands for.
func (v *rival) perJob(ctx context.Context, jobs int) (float64, error) {
	var events int
	if err := v.db.QueryRow(ctx, `SELECT count(*) FROM `+v.table).Scan(&events); err != nil {
		return 0, fmt.Errorf("count events: %w", err)
	}
	if jobs == 0 {
		return 0, errors.New("there are no jobs")
	}
	return float64(events) / float64(jobs), nil
}
