// Package demo runs a simulated shop against a running platform and checks the platform's numbers: it sends what happens in
// the shop over HTTP, waits until all of it is counted, and compares every number with its own count.
//
// It uses the public API as a customer's program does: a login, an API key for the duration of the demo, products, events
// one by one and in batches of every form, and purchases. It sends some of them twice on purpose, and the client repeats
// whatever gets no answer, so the platform may be killed and restarted in the middle. The numbers are right only if each
// event is counted exactly once.
//
// # Running the same demo again
//
// A demo is fixed by its seed, its size, its time zone and its time: the last Days whole days there up to the last full hour. SKUs,
// user ids and event ids are derived from these, so that
//
//   - the same demo in the same hour sends the same events: the platform recognizes them as duplicates, and its numbers
//     stay equal to the demo's;
//   - a demo that differs in anything, if only in the hour, has its own products and users, and does not change the
//     numbers of another.
//
// # What is compared
//
// Every count of every product over all days, with the money in each currency; the counts of all products together on each day;
// the order and values of rankings, as far as products of this demo are in them; the sign-ups, which concern no product, on each
// day and in each hour of a day, one of 23 or 25 hours if the demo has one; and the counts of a sample of users. All must be
// equal, except large numbers of unique users: the platform estimates them, and may be off by the known error of its estimate.
//
// The packages below do the parts: shop generates the events, tally counts them.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/client"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/shop"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/tally"
	"github.com/hp-analytics/hp-analytics/internal/localtime"
)

const (
	// senders is the number of requests in flight.
	senders = 4
	// defaultRetryTimeout outlasts a restart of the platform with its databases, and every rate-limit window.
	defaultRetryTimeout = 5 * time.Minute
	// cleanupTimeout bounds the cleanup after a demo that failed or was interrupted.
	cleanupTimeout = 15 * time.Second
)

// Options say which demo to run, and where.
type Options struct {
	URL      string            // base URL of the platform, such as http://localhost:8080
	Routes   map[string]string // URLs of services that are not behind URL, by first path segment
	Email    string            // of an admin, who may add products and create API keys
	Password string

	Events   int    // different events; purchases and deliberate repetitions come on top of them
	Days     int    // days over which they are spread, today included; at most shop.MaxDays
	Products int    // at most shop.MaxProducts
	Users    int    // at most shop.MaxUsers
	Seed     uint64 // another seed is another demo of the same size
	// Zone is the IANA name of a time zone. The demo then acts in a project of its own with this zone, which it creates if need be.
	// Empty: it acts in the default project, in its zone.
	Zone string

	Out io.Writer // progress and report; progress is a bar if it is a terminal

	Now          time.Time     // end of the simulated time; zero means now
	RetryTimeout time.Duration // how long to wait for a platform that is away or busy; 0 means 5 minutes
}

// Validate returns every problem of the size at once, without calling the platform.
func (o Options) Validate() error {
	err := o.shop().Validate()
	if o.Zone != "" {
		_, unknown := localtime.Load(o.Zone)
		err = errors.Join(err, unknown)
	}
	return err
}

func (o Options) shop() shop.Config {
	return shop.Config{Seed: o.Seed, Events: o.Events, Days: o.Days, Products: o.Products, Users: o.Users, Now: o.Now}
}

// DifferenceError says that the platform's numbers differ from what was sent. The report has listed the differences.
type DifferenceError struct{ Differences []Difference }

// Error says how many numbers differ.
func (e *DifferenceError) Error() string {
	if len(e.Differences) == 1 {
		return "1 number of the platform differs from what was sent"
	}
	return fmt.Sprintf("%d numbers of the platform differ from what was sent", len(e.Differences))
}

// Run runs a demo and prints its report. It returns a *DifferenceError when any number of the platform differs from the
// demo's own, and another error when it could not get that far.
func Run(ctx context.Context, o Options) error {
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	if o.RetryTimeout == 0 {
		o.RetryTimeout = defaultRetryTimeout
	}
	if err := o.Validate(); err != nil {
		return err
	}
	a := &access{options: o, progress: newProgress(o.Out)}
	admin, err := a.admin(ctx)
	if err != nil {
		return err
	}
	defer admin.CloseIdleConnections()
	return a.withKey(ctx, admin, func(key *client.Client) error {
		config := o.shop()
		if config.Zone, err = zoneOf(ctx, key); err != nil {
			return err
		}
		s, err := shop.New(config)
		if err != nil {
			return err
		}
		printIntro(o.Out, s, o.URL)
		ids, err := createProducts(ctx, admin, s)
		if err != nil {
			return err
		}
		d := &demo{
			shop: s, key: key, ids: ids, own: tally.New(s),
			progress: a.progress, retries: &a.retries, retryTimeout: o.RetryTimeout,
		}
		return d.run(ctx, o.Out)
	})
}

// demo is one run.
type demo struct {
	shop         *shop.Shop
	key          *client.Client // may ingest and read
	ids          []uuid.UUID    // of the products, by index of shop.Products
	own          *tally.Tally
	progress     *progress
	retries      *atomic.Int64
	retryTimeout time.Duration
}

func (d *demo) run(ctx context.Context, out io.Writer) error {
	began := time.Now()
	sent, err := d.send(ctx)
	if err != nil {
		return err
	}
	sent.took = time.Since(began)
	settled, err := d.settle(ctx)
	if err != nil {
		return err
	}
	complete := time.Since(began)
	found, err := d.check(ctx, settled)
	if err != nil {
		return err
	}
	found.differences = append(sent.differences(d.shop.Events), found.differences...)
	d.report(out, sent, found, complete)
	if len(found.differences) > 0 {
		return &DifferenceError{Differences: found.differences}
	}
	return nil
}
