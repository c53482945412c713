// Package demo shows a running platform at work and checks its numbers: it invents a realistic shop, sends what happens
// there over HTTP, and compares what the platform then says with what was sent.
//
// Everything goes through the public API, as a customer's own programs would: a login, an API key for the time of the
// demo, products, events one by one and in batches of every form, purchases. On purpose some of it is sent twice, and
// everything is sent again when there is no answer, until there is one: a platform may be killed and started again in
// the middle. Counting right means counting all of it exactly once.
//
// # The same demo again
//
// A demo is fixed by its seed, its size and its time: the last Days whole days (UTC) up to the last full hour. The SKUs,
// user ids and event ids come from these, so that
//
//   - the same demo, run again in the same hour, sends the same events: the platform takes them for duplicates, its
//     numbers stay as they are, and still are equal to the demo's;
//   - a demo that differs in anything, if only in the hour, has products and users of its own, and leaves the numbers
//     of others alone.
//
// # What is compared
//
// Every count of every product over all days; the counts of all products together on every day; the order and values of
// rankings, as far as products of this demo are in them; and the counts of some users. All must be equal, but for the
// unique users of products: the platform estimates them, and may be off by what its estimates are known for.
//
// The packages below do the parts: shop invents, tally counts, client speaks HTTP.
package demo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/client"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/shop"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/tally"
)

const (
	// senders is how many requests are under way at the same time.
	senders = 4
	// defaultPatience outlasts a platform that is started again, its databases included, and the windows of its quotas.
	defaultPatience = 5 * time.Minute
	// farewell is how long the end of a demo may take after it failed or was interrupted.
	farewell = 15 * time.Second
)

// Options say which demo to run, and where.
type Options struct {
	URL      string            // base URL of the platform, such as http://localhost:8080
	Routes   map[string]string // URLs of services that are not behind URL, by first path segment
	Email    string            // an admin's, who may add products and make API keys
	Password string

	Events   int    // different events; purchases and deliberate repetitions come on top of them
	Days     int    // days over which they are spread, the present one included; at most shop.MaxDays
	Products int    // at most shop.MaxProducts
	Users    int    // at most shop.MaxUsers
	Seed     uint64 // another seed is another demo of the same size

	Out io.Writer // progress and report: with a bar if it is a terminal

	Now      time.Time     // the end of the time in which the shop is watched; zero means now
	Patience time.Duration // how long to wait for a platform that is away or busy; 0 means 5 minutes
}

// Validate returns every problem of the size at once, without asking the platform.
func (o Options) Validate() error { return o.shop().Validate() }

func (o Options) shop() shop.Config {
	return shop.Config{Seed: o.Seed, Events: o.Events, Days: o.Days, Products: o.Products, Users: o.Users, Now: o.Now}
}

// DifferenceError says that the platform does not count what was sent. The report has shown them already.
type DifferenceError struct{ Differences []Difference }

// Error says how many numbers differ.
func (e *DifferenceError) Error() string {
	if len(e.Differences) == 1 {
		return "1 number of the platform differs from what was sent"
	}
	return fmt.Sprintf("%d numbers of the platform differ from what was sent", len(e.Differences))
}

// Run runs a demo and prints its report. It returns a *DifferenceError when any number of the platform is not the
// demo's own, and another error when it could not get that far.
func Run(ctx context.Context, o Options) error {
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	if o.Patience == 0 {
		o.Patience = defaultPatience
	}
	s, err := shop.New(o.shop())
	if err != nil {
		return err
	}
	progress := newProgress(o.Out)
	anonymous, err := client.New(client.Options{
		URL: o.URL, Routes: o.Routes, Connections: senders, Patience: o.Patience, Retrying: progress.retrying,
	})
	if err != nil {
		return err
	}
	defer anonymous.Close()
	intro(o.Out, s, o.URL)
	return withKey(ctx, anonymous, o, func(admin, key *client.Client) error {
		ids, err := stock(ctx, admin, s)
		if err != nil {
			return err
		}
		d := &demo{shop: s, key: key, ids: ids, own: tally.New(s), progress: progress, patience: o.Patience}
		return d.run(ctx, o.Out)
	})
}

// withKey runs fn with an admin's token and with an API key that exists until fn returns.
func withKey(ctx context.Context, anonymous *client.Client, o Options, fn func(admin, key *client.Client) error) (err error) {
	token, err := anonymous.Login(ctx, o.Email, o.Password)
	if err != nil {
		return err
	}
	admin := anonymous.With(token)
	name := "demo " + rand.Text()
	defer func() {
		// The token may have expired by now, and the context ended.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
		defer cancel()
		token, loginErr := anonymous.Login(ctx, o.Email, o.Password)
		if loginErr == nil {
			loginErr = anonymous.With(token).RevokeKeys(ctx, name)
		}
		if loginErr != nil {
			err = errors.Join(err, fmt.Errorf("the API key named %q is left behind: %w", name, loginErr))
		}
	}()
	key, err := admin.CreateKey(ctx, name, client.ScopeIngest, client.ScopeRead)
	if err != nil {
		return err
	}
	return fn(admin, anonymous.With(key))
}

// stock puts the shop's products into the catalog and returns their ids there.
func stock(ctx context.Context, admin *client.Client, s *shop.Shop) ([]string, error) {
	products := make([]client.Product, len(s.Products))
	for i, p := range s.Products {
		products[i] = client.Product{
			SKU: p.SKU, Name: p.Name, Description: p.Description, Category: p.Category,
			PriceMinor: p.PriceMinor, Currency: shop.Currency, Attributes: map[string]string{"color": p.Color},
		}
	}
	if err := admin.PutProducts(ctx, products); err != nil {
		return nil, err
	}
	known, err := admin.ProductIDs(ctx, s.Tag())
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(s.Products))
	for i, p := range s.Products {
		if ids[i] = known[p.SKU]; ids[i] == "" {
			return nil, fmt.Errorf("product %s is not among the active products of the platform, though it was written", p.SKU)
		}
	}
	return ids, nil
}

// demo is one run.
type demo struct {
	shop     *shop.Shop
	key      *client.Client // may ingest and read
	ids      []string       // of the products, by index of shop.Products
	own      *tally.Tally
	progress *progress
	patience time.Duration
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
