package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/hp-analytics/hp-analytics/test/bench/internal/load"
	"github.com/hp-analytics/hp-analytics/test/internal/deployment"
)

const (
	jwtSecret = "a secret that only this benchmark uses"
	// catchUpTimeout bounds how long a reference service may take to work off the backlog of a load.
	catchUpTimeout = 2 * time.Minute
	// compileTime is how long a service is asked before its reads are measured: Node compiles what is called often.
	compileTime = 2 * time.Second
)

// reference is a service and a worker that the platform is compared with. Both have the usual API and Databases of their
// own.
type reference struct {
	deployment.Databases
	// process returns the service, to listen on an address, or the worker if the address is empty.
	process func(address string, environ []string) *deployment.Process
	// reset empties the queue and all tables except users and products.
	reset func(ctx context.Context) error
	// backlog returns the number of jobs that are not done.
	backlog func(ctx context.Context) (int, error)
	// correct reports whether the rollups match the stored events.
	correct func(ctx context.Context) (bool, error)
	tokens  []string
	table   string // of events
}

// scenario is a load that every system can be measured under.
type scenario struct {
	path   string
	perOne int // events per request
	bodies func(b bodies) []string
}

var (
	singleEvents    = scenario{"/events", 1, bodies.eventRequests}
	singlePurchases = scenario{"/purchases", 1, bodies.purchaseRequests}
	bulkOf100       = scenario{"/events/bulk", 100, func(b bodies) []string { return b.bulk(100) }}
	bulkOf1000      = scenario{"/events/bulk", 1000, func(b bodies) []string { return b.bulk(1000) }}
)

// userTokens returns an HS256 token for each user.
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

// send measures a load on the service, beginning with empty tables. With the worker it also measures how long it takes
// after the load until the rollups are correct.
func (v *reference) send(ctx context.Context, o options, name string, s scenario, worker bool, environ ...string) (r row, err error) {
	if err := v.reset(ctx); err != nil {
		return r, err
	}
	service, url, err := v.startService(ctx, environ)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, service.Stop()) }()
	pids := map[string][]int{"service": {service.PID()}}
	if worker {
		w := v.process("", environ)
		if err := w.Start(ctx); err != nil {
			return r, err
		}
		defer func() { err = errors.Join(err, w.Stop()) }()
		pids["worker"] = []int{w.PID()}
	}
	l := load.Load{
		URL: url, Connections: o.connectionsFor(s.perOne), Duration: o.duration,
		Requests: requests(url, s.path, v.tokens, s.bodies(naiveBodies()), jsonType),
	}
	if r, err = measure(ctx, name, l, s.perOne, newSubject(v.Databases, pids, service.PID())); err != nil || !worker {
		return r, err
	}
	begin := time.Now()
	err = until(ctx, catchUpTimeout, "the rollups are correct", func() (bool, error) {
		left, err := v.backlog(ctx)
		if err != nil || left > 0 {
			return false, err
		}
		return v.correct(ctx)
	})
	r.after = time.Since(begin)
	return r, err
}

// read measures a read with warm caches over the products of the service. %d in path is the number of a product.
func (v *reference) read(ctx context.Context, o options, path string) (r row, err error) {
	service, url, err := v.startService(ctx, nil)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, service.Stop()) }()
	paths := []string{path}
	if strings.Contains(path, "%d") {
		paths = nil
		for k := range products {
			paths = append(paths, fmt.Sprintf(path, productOf(k)+1))
		}
	}
	token := ""
	if strings.HasPrefix(path, "/analytics/") {
		token = v.tokens[0]
	}
	l := load.Load{URL: url, Requests: gets(url, paths, token), Connections: o.connections, Duration: compileTime}
	if _, err := l.Run(ctx); err != nil {
		return r, err
	}
	l.Duration = o.duration
	return measure(ctx, "", l, 1, newSubject(v.Databases, map[string][]int{"service": {service.PID()}}, service.PID()))
}

func (v *reference) startService(ctx context.Context, environ []string) (*deployment.Process, string, error) {
	address, err := deployment.FreeAddress(ctx)
	if err != nil {
		return nil, "", err
	}
	service, url := v.process(address, environ), "http://"+address
	if err := service.Start(ctx); err != nil {
		return nil, "", err
	}
	if err := service.AwaitSuccess(ctx, url+"/health"); err != nil {
		return nil, "", errors.Join(err, service.Stop())
	}
	return service, url, nil
}

// drain builds up a backlog, then measures how fast the worker works it off.
func (v *reference) drain(ctx context.Context, o options, name string, s scenario, environ ...string) (r row, err error) {
	stored, err := v.send(ctx, o, name, s, false, environ...)
	if err != nil {
		return row{}, err
	}
	jobs, err := v.backlog(ctx)
	if err != nil {
		return row{}, err
	}
	perJob, err := v.eventsPerJob(ctx, jobs)
	if err != nil {
		return row{}, err
	}
	worker := v.process("", environ)
	if err := worker.Start(ctx); err != nil {
		return row{}, err
	}
	defer func() { err = errors.Join(err, worker.Stop()) }()
	subject := newSubject(v.Databases, map[string][]int{"worker": {worker.PID()}}, 0)
	first := jobs
	if err := until(ctx, catchUpTimeout, "the worker has begun", func() (bool, error) {
		first, err = v.backlog(ctx)
		return first < jobs, err
	}); err != nil {
		return row{}, err
	}
	before, begin, left := subject.cpu(), time.Now(), first
	err = until(ctx, catchUpTimeout, "the backlog is worked off", func() (bool, error) {
		left, err = v.backlog(ctx)
		return left == 0 || time.Since(begin) > o.duration, err
	})
	if err != nil {
		return row{}, err
	}
	took, after := time.Since(begin), subject.cpu()
	if first == left {
		return row{}, errors.New("the worker did nothing")
	}
	r = workRow(name, int(float64(first-left)*perJob), took, before, after)
	r.failed = stored.failed
	return r, nil
}

// eventsPerJob returns how many events a job stands for.
func (v *reference) eventsPerJob(ctx context.Context, jobs int) (float64, error) {
	var events int
	if err := v.DB.QueryRow(ctx, `SELECT count(*) FROM `+v.table).Scan(&events); err != nil {
		return 0, fmt.Errorf("count events: %w", err)
	}
	if jobs == 0 {
		return 0, errors.New("there are no jobs")
	}
	return float64(events) / float64(jobs), nil
}
