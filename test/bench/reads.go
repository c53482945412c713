package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/hp-analytics/hp-analytics/test/bench/internal/load"
)

// read is a request of the API that is measured.
type read struct {
	name    string
	service string // which answers it
	public  bool   // sent without credentials, as clients do
	// paths returns one path for each key. The first one is the hot key.
	paths func(ctx context.Context, p *platform) ([]string, error)
	// warmKeys is how many keys a load on warm caches has; 0 for all.
	warmKeys int
}

// warmSeries is how many series can be asked for before Redis forgets the first one (ANALYTICS_CACHE_TTL). With more of them, the
// load would measure misses.
const warmSeries = 1000

// reads returns all reads in the order of the table.
func reads() []read {
	return []read{
		{"product", "catalog", true, productPaths, 0},
		{"list of 20", "catalog", true, pagePaths, 0},
		{"top", "analytics", false, rangePaths("/analytics/products/top?limit=10&metric=views", "/analytics/products/top?limit=10&metric=views&from=%s&to=%s"), 0},
		{"series", "analytics", false, seriesPaths, warmSeries},
		{"user summary", "analytics", false, summaryPaths, 0},
		{"overview", "analytics", false, rangePaths("/analytics/overview", "/analytics/overview?from=%s&to=%s"), 0},
		{"health", "catalog", true, func(context.Context, *platform) ([]string, error) { return []string{"/health"}, nil }, 0},
	}
}

func productPaths(_ context.Context, p *platform) ([]string, error) {
	return spread(p.products, func(id string) string { return "/products/" + id }), nil
}

func seriesPaths(_ context.Context, p *platform) ([]string, error) {
	return spread(p.products, func(id string) string { return "/analytics/products/" + id + "/timeseries" }), nil
}

func summaryPaths(context.Context, *platform) ([]string, error) {
	paths := make([]string, users)
	for i := range paths {
		paths[i] = fmt.Sprintf("/analytics/users/user-%d/summary", userOf(i))
	}
	return paths, nil
}

// spread returns the path of every key, in an order in which neighbours have nothing in common.
func spread(keys []string, path func(string) string) []string {
	paths := make([]string, len(keys))
	for i := range paths {
		paths[i] = path(keys[i*7919%len(keys)])
	}
	return paths
}

// rangePaths returns the default period as the hot key, and all periods within the days of the seed.
func rangePaths(hot, format string) func(context.Context, *platform) ([]string, error) {
	return func(context.Context, *platform) ([]string, error) {
		paths, today := []string{hot}, time.Now().UTC()
		for from := seedDays; from > 0; from-- {
			for to := from; to > 0; to-- {
				paths = append(paths, fmt.Sprintf(format, today.AddDate(0, 0, -from).Format(time.DateOnly), today.AddDate(0, 0, -to).Format(time.DateOnly)))
			}
		}
		return paths, nil
	}
}

// mostPages bounds how many pages of the list are measured.
const mostPages = 200

// pagePaths follows the cursors of the list.
func pagePaths(ctx context.Context, p *platform) (paths []string, err error) {
	for next := "/products?limit=20"; next != "" && len(paths) < mostPages; {
		paths = append(paths, next)
		var page struct {
			NextCursor *string `json:"next_cursor"`
		}
		body, err := get(ctx, p.Service("catalog").URL()+next)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(body, &page); err != nil {
			return nil, fmt.Errorf("read a page of products: %w", err)
		}
		next = ""
		if page.NextCursor != nil {
			next = "/products?limit=20&cursor=" + url.QueryEscape(*page.NextCursor)
		}
	}
	return paths, nil
}

// get returns the body of a successful answer.
func get(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", url, err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", url, err)
	}
	defer response.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("get %s: %s", url, response.Status), err)
	}
	return body, nil
}

// gets returns complete requests without a body. token may be empty.
func gets(base string, paths []string, token string) [][]byte {
	host, _ := url.Parse(base) // of a service that this program started
	credentials := ""
	if token != "" {
		credentials = "Authorization: Bearer " + token + "\r\n"
	}
	all := make([][]byte, len(paths))
	for i, path := range paths {
		all[i] = fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", path, host.Host, credentials)
	}
	return all
}

// conditions are how a read is measured.
type conditions struct {
	hot         bool // one key instead of all
	keys        int  // the number of keys; 0 for all
	cold        bool // empty caches, and each key once
	fill        bool // ask for each key once before the load
	connections int
	gateway     bool // through nginx
}

// coldDurations bounds a load on cold caches, in units of -duration: it is to reach every key, which the warm row after it then
// finds in the caches.
const coldDurations = 5

// conditionsOf returns the conditions of the rows of a read. A cold hot key would be one miss and then the warm row, so cold
// caches are measured with all keys.
func (o options) conditionsOf(r read) (all []conditions) {
	few, many := o.connections, 8*o.connections
	for _, gateway := range []bool{false, true} {
		for _, connections := range []int{few, many} {
			all = append(all, conditions{hot: true, connections: connections, gateway: gateway})
			if r.name == "health" {
				continue // it has no keys
			}
			// The short run has the hot key everywhere, and the others once.
			if !o.short || (connections == few && !gateway) {
				all = append(all, conditions{cold: true, connections: connections, gateway: gateway},
					conditions{keys: r.warmKeys, fill: r.warmKeys > 0, connections: connections, gateway: gateway})
			}
		}
	}
	return all
}

// labels are the cells of a row that say what was measured.
func (c conditions) labels() []string {
	keys, cache, via := "all", "warm", "direct"
	switch {
	case c.hot:
		keys = "one"
	case c.keys > 0:
		keys = thousands(float64(c.keys))
	}
	if c.cold {
		cache = "cold"
	}
	if c.gateway {
		via = "nginx"
	}
	return []string{keys, cache, strconv.Itoa(c.connections), via}
}

// read measures a read under some conditions.
func (p *platform) read(ctx context.Context, o options, r read, c conditions) (measured row, err error) {
	paths, err := r.paths(ctx, p)
	if err != nil {
		return row{}, err
	}
	switch {
	case c.hot:
		paths = paths[:1]
	case c.keys > 0:
		paths = paths[:min(c.keys, len(paths))]
	}
	if c.cold {
		if err := p.forget(ctx, r.service); err != nil {
			return row{}, err
		}
	}
	base, token := p.Service(r.service).URL(), p.key
	pids := map[string][]int{}
	if c.gateway {
		g, err := p.startGateway(ctx, o.root)
		if err != nil {
			return row{}, err
		}
		defer func() { err = errors.Join(err, g.Stop()) }()
		base, pids["nginx"] = g.url, []int{g.PID()}
	}
	if r.public {
		token = ""
	}
	l := load.Load{URL: base, Requests: gets(base, paths, token), Connections: c.connections, Duration: o.duration}
	if c.cold || c.fill {
		once := l
		once.Once, once.Duration = true, coldDurations*l.Duration
		if c.fill {
			if _, err := once.Run(ctx); err != nil {
				return row{}, err
			}
		} else {
			l = once
		}
	}
	if err := p.emptyLogs(); err != nil {
		return row{}, err
	}
	for _, s := range p.Services() {
		column := "others"
		if s.Name() == r.service {
			column = "service"
		}
		pids[column] = append(pids[column], s.PID())
	}
	return measure(ctx, r.name, l, 1, newSubject(p.Databases, pids, p.Service(r.service).PID()))
}

// forget empties the caches: Redis, and the memory of the service, which is started again at its address.
func (p *platform) forget(ctx context.Context, service string) error {
	s := p.Service(service)
	if err := s.Stop(); err != nil {
		return err
	}
	if err := p.RedisClient.FlushDB(ctx).Err(); err != nil {
		return fmt.Errorf("empty Redis: %w", err)
	}
	if err := s.Start(ctx); err != nil {
		return err
	}
	return s.AwaitReady(ctx)
}

// readTable measures all reads.
func readTable(ctx context.Context, b *bench) (table, error) {
	t := table{
		keys:    []string{"read", "keys", "cache", "connections", "via"},
		numbers: slices.Concat([]string{rateColumn, "mean ms", "p50 ms", "p95 ms", "p99 ms", "errors", "CPU µs/request"}, readColumns, []string{"load", noiseColumn}),
	}
	for _, r := range reads() {
		for _, c := range b.conditionsOf(r) {
			if !b.wants(r.name) {
				continue
			}
			measured, err := b.platform.read(ctx, b.options, r, c)
			if err != nil {
				return t, fmt.Errorf("%s %v: %w", r.name, c.labels(), err)
			}
			b.report(measured, c.labels()...)
			t.add(append(append([]string{r.name}, c.labels()...), measured.readCells()...)...)
		}
	}
	if !b.wants("raw") {
		return t, nil
	}
	floor, err := b.floor(ctx)
	if err != nil {
		return t, err
	}
	t.add(append([]string{"raw: net/http with the bytes of a product", "one", "", strconv.Itoa(b.connections), "direct"}, floor.readCells()...)...)
	return t, nil
}

// readColumns are the columns of CPU time of reads.
var readColumns = []string{"service", "Postgres", "Redis", "nginx", "others"}

func (r row) readCells() []string {
	cells := []string{rate(r.requests), milliseconds(r.mean), milliseconds(r.p50), milliseconds(r.p95), milliseconds(r.p99), r.errors(), micros(r.total)}
	for _, column := range readColumns {
		cells = append(cells, micros(r.cpu[column]))
	}
	return append(cells, micros(r.load), percent(r.noise))
}
