package demo

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/klauspost/compress/zstd"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/tally"
)

// fakePlatform is the part of the platform that a demo uses, in memory. It stores rows and counts them on each request.
type fakePlatform struct {
	t      *testing.T
	server *httptest.Server

	// Faults; nil for none.
	zone    *time.Location
	project string // the header Project of every request with a login
	falsify func(path string, c *tally.Counts)
	refuse  func(event map[string]any) bool // refuses a valid event
	disturb func(request int) disturbance
	stuck   bool // pending events stay pending
	cutOff  bool // the demo may end in the middle of a request

	mu         sync.Mutex
	requests   int
	keys       map[string]*fakeKey // by id
	products   []fakeProduct
	rows       map[string]row    // by time and id
	idempotent map[string]string // answers by Idempotency-Key, and by the id of a refund
	purchases  map[string]row    // by id
	accepted   int
	pending    int // how many more answers report pending events
}

type fakeKey struct {
	name    string
	revoked bool
}

type fakeProduct struct {
	ID         string           `json:"id"`
	SKU        string           `json:"sku"`
	PriceMinor int64            `json:"price_minor"`
	Currency   string           `json:"currency"`
	Prices     map[string]int64 `json:"prices"`
}

type row struct {
	product, user, name string // product and name may be empty
	at                  time.Time
	counts              tally.Counts
	refund              bool // is nothing that the user did
}

// day returns the day of the row by the clocks of the platform's only project.
func (p *fakePlatform) day(r row) string { return r.at.In(p.zone).Format(time.DateOnly) }

// disturbance is a fault of one request.
type disturbance int

const (
	none disturbance = iota
	overload
	lostAnswer // after the request was processed
)

func newFakePlatform(t *testing.T) *fakePlatform {
	p := &fakePlatform{t: t, keys: map[string]*fakeKey{}, rows: map[string]row{}, idempotent: map[string]string{}, purchases: map[string]row{}, zone: time.UTC, project: "default"}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /auth/login", p.login)
	mux.HandleFunc("POST /auth/api-keys", p.as("token", p.createKey))
	mux.HandleFunc("GET /auth/api-keys", p.as("token", p.listKeys))
	mux.HandleFunc("DELETE /auth/api-keys/{id}", p.as("token", p.revokeKey))
	mux.HandleFunc("POST /products/bulk", p.as("token", p.putProducts))
	mux.HandleFunc("GET /products", p.listProducts)
	mux.HandleFunc("POST /events", p.as("hpa_", p.event))
	mux.HandleFunc("POST /events/bulk", p.as("hpa_", p.bulk))
	mux.HandleFunc("POST /purchases", p.as("hpa_", p.purchase))
	mux.HandleFunc("POST /orders/{id}/refunds", p.as("hpa_", p.refund))
	mux.HandleFunc("POST /auth/projects", p.as("token", p.createProject))
	mux.HandleFunc("GET /analytics/events/timeseries", p.as("hpa_", p.events))
	mux.HandleFunc("GET /analytics/products/top", p.as("hpa_", p.top))
	mux.HandleFunc("GET /analytics/products/{id}/timeseries", p.as("hpa_", p.series))
	mux.HandleFunc("GET /analytics/users/{id}/summary", p.as("hpa_", p.summary))
	p.server = httptest.NewServer(p.disturbed(mux))
	t.Cleanup(p.server.Close)
	return p
}

// options are those of a small demo on p.
func (p *fakePlatform) options(out io.Writer) Options {
	return Options{
		URL: p.server.URL, Email: "admin@example.com", Password: "secret", Events: 3_000, Days: 3, Products: 20, Users: 150, Seed: 7,
		Out: out, Now: time.Date(2026, 3, 17, 15, 42, 7, 0, time.UTC), RetryTimeout: 10 * time.Second,
	}
}

// disturbed serves one request at a time, so that handlers need no locks.
func (p *fakePlatform) disturbed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.requests++
		what := none
		if p.disturb != nil {
			what = p.disturb(p.requests)
		}
		switch what {
		case overload:
			http.Error(w, `{"code":"overloaded"}`, http.StatusServiceUnavailable)
		case lostAnswer:
			next.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func (p *fakePlatform) as(prefix string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		id, isKey := strings.CutPrefix(token, "hpa_")
		if !strings.HasPrefix(token, prefix) || isKey && p.keys[id].revoked {
			http.Error(w, `{"code":"credentials_required"}`, http.StatusUnauthorized)
			return
		}
		if project := r.Header.Get("Project"); !isKey && r.URL.Path != "/auth/projects" && project != p.project {
			p.t.Errorf("%s %s acts in the project %q instead of %q", r.Method, r.URL.Path, project, p.project)
		}
		next(w, r)
	}
}

func (p *fakePlatform) answer(w http.ResponseWriter, status int, format string, args ...any) {
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, format, args...)
}

func (p *fakePlatform) login(w http.ResponseWriter, r *http.Request) {
	if body, _ := io.ReadAll(r.Body); !strings.Contains(string(body), `"password":"secret"`) {
		p.answer(w, http.StatusUnauthorized, `{"code":"invalid_credentials","detail":"Wrong e-mail address or password."}`)
		return
	}
	p.answer(w, http.StatusOK, `{"access_token":"token","expires_in":900,"refresh_token":"next"}`)
}

func (p *fakePlatform) createKey(w http.ResponseWriter, r *http.Request) {
	var request struct{ Name string }
	p.decode(r, &request)
	id := uuid.NewString()
	p.keys[id] = &fakeKey{name: request.Name}
	p.answer(w, http.StatusCreated, `{"key":%q}`, "hpa_"+id)
}

func (p *fakePlatform) listKeys(w http.ResponseWriter, _ *http.Request) {
	var items []string
	for id, key := range p.keys {
		revokedAt := "null"
		if key.revoked {
			revokedAt = `"2026-01-01T00:00:00Z"`
		}
		items = append(items, fmt.Sprintf(`{"id":%q,"name":%q,"revoked_at":%s}`, id, key.name, revokedAt))
	}
	p.answer(w, http.StatusOK, `{"items":[%s]}`, strings.Join(items, ","))
}

func (p *fakePlatform) revokeKey(w http.ResponseWriter, r *http.Request) {
	p.keys[r.PathValue("id")].revoked = true
	p.answer(w, http.StatusOK, `{"revoked":1}`)
}

func (p *fakePlatform) putProducts(w http.ResponseWriter, r *http.Request) {
	var bulk struct{ Products []fakeProduct }
	p.decode(r, &bulk)
	for _, product := range bulk.Products {
		if p.find(product.SKU) == nil {
			product.ID = uuid.NewString()
			p.products = append(p.products, product)
		}
	}
	p.answer(w, http.StatusOK, `{"errors":[]}`)
}

func (p *fakePlatform) listProducts(w http.ResponseWriter, r *http.Request) {
	var found []fakeProduct
	for _, product := range p.products {
		if strings.Contains(product.SKU, r.URL.Query().Get("q")) {
			found = append(found, product)
		}
	}
	items, err := json.Marshal(found)
	p.check(err)
	p.answer(w, http.StatusOK, `{"items":%s,"next_cursor":null}`, items)
}

// find returns a product by its id or SKU.
func (p *fakePlatform) find(name string) *fakeProduct {
	for i := range p.products {
		if p.products[i].SKU == name || p.products[i].ID == name {
			return &p.products[i]
		}
	}
	return nil
}

func (p *fakePlatform) event(w http.ResponseWriter, r *http.Request) {
	var event map[string]any
	p.decode(r, &event)
	p.answer(w, http.StatusAccepted, `{"status":%q}`, p.take(event))
}

func (p *fakePlatform) bulk(w http.ResponseWriter, r *http.Request) {
	var bulk struct{ Events []map[string]any }
	if r.Header.Get("Content-Type") == "application/json" {
		p.decode(r, &bulk)
	} else {
		for line := range bytes.Lines(p.body(r)) {
			var event map[string]any
			p.check(json.Unmarshal(line, &event))
			bulk.Events = append(bulk.Events, event)
		}
	}
	results := map[string]int{}
	for _, event := range bulk.Events {
		results[p.take(event)]++
	}
	problems := "[]"
	if results["rejected"] > 0 {
		problems = `[{"index":0,"code":"unknown_product","detail":"There is none."}]`
	}
	p.answer(w, http.StatusAccepted, `{"accepted":%d,"duplicates":%d,"rejected":%d,"errors":%s}`,
		results["accepted"], results["duplicate"], results["rejected"], problems)
}

// take stores an event and returns its status.
func (p *fakePlatform) take(event map[string]any) string {
	if p.refuse != nil && p.refuse(event) {
		return "rejected"
	}
	kind, _ := event["type"].(string)
	counts := tally.Counts{Events: 1}
	switch kind {
	case "view":
		counts.Views = 1
	case "click":
		counts.Clicks = 1
	case "add_to_cart":
		counts.AddToCarts = 1
	}
	if !p.store(event, counts) {
		return "duplicate"
	}
	p.accepted++
	return "accepted"
}

// store adds a row unless there is one with the same time and id.
func (p *fakePlatform) store(fact map[string]any, counts tally.Counts) bool {
	id := uuid.MustParse(fact["id"].(string))
	seconds, nanos := id.Time().UnixTime()
	ts := time.Unix(seconds, nanos).UTC()
	if text, ok := fact["ts"].(string); ok {
		var err error
		ts, err = time.Parse(time.RFC3339Nano, text)
		p.check(err)
	}
	name, _ := cmp.Or(fact["sku"], fact["product_id"]).(string)
	product := p.find(name)
	key := ts.UTC().Format(time.RFC3339Nano) + id.String()
	if product == nil && name != "" {
		p.t.Errorf("product %q does not exist", name)
	}
	if _, ok := p.rows[key]; ok {
		return false
	}
	r := row{user: fact["user_id"].(string), at: ts, counts: counts}
	r.name, _ = fact["type"].(string)
	if product != nil {
		r.product = product.ID
	}
	p.rows[key] = r
	p.pending = 3
	return true
}

// createProject knows the one project that there may be, as on a second run.
func (p *fakePlatform) createProject(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Slug     string
		TimeZone string `json:"time_zone"`
	}
	p.decode(r, &request)
	if request.Slug != p.project || request.TimeZone != p.zone.String() {
		p.t.Errorf("a project is created: %+v", request)
	}
	p.answer(w, http.StatusConflict, `{"code":"slug_taken"}`)
}

func (p *fakePlatform) purchase(w http.ResponseWriter, r *http.Request) {
	key := r.Header.Get("Idempotency-Key")
	if stored, ok := p.idempotent[key]; ok {
		w.Header().Set("Idempotency-Replayed", "true")
		p.answer(w, http.StatusCreated, "%s", stored)
		return
	}
	var purchase map[string]any
	p.decode(r, &purchase)
	quantity := int64(purchase["quantity"].(float64))
	product, currency := p.find(purchase["sku"].(string)), purchase["currency"].(string)
	amount := quantity * product.PriceMinor
	if currency != product.Currency {
		amount = quantity * product.Prices[currency]
	}
	if given, ok := purchase["amount_minor"].(float64); ok {
		amount = int64(given)
	}
	counts := inCurrency(currency, tally.Money{GrossMinor: amount, NetMinor: amount, Orders: 1, Units: quantity})
	counts.Purchases, counts.Units = 1, quantity
	p.store(purchase, counts)
	p.purchases[purchase["id"].(string)] = row{product: product.ID, user: purchase["user_id"].(string), name: currency, counts: counts}
	p.idempotent[key] = fmt.Sprintf(`{"id":%q,"batch_id":%q}`, purchase["id"], uuid.NewString())
	p.answer(w, http.StatusCreated, "%s", p.idempotent[key])
}

func inCurrency(currency string, m tally.Money) (c tally.Counts) {
	*map[string]*tally.Money{"EUR": &c.Euro, "JPY": &c.Yen}[currency] = m
	return c
}

func (p *fakePlatform) refund(w http.ResponseWriter, r *http.Request) {
	var refund struct {
		ID    string
		TS    time.Time
		Lines []struct {
			AmountMinor int64 `json:"amount_minor"`
		}
	}
	p.decode(r, &refund)
	bought, ok := p.purchases[r.PathValue("id")]
	if !ok {
		p.t.Errorf("a refund of the unknown purchase %s", r.PathValue("id"))
	}
	if _, ok := p.idempotent[refund.ID]; !ok {
		amount := bought.counts.Euro.GrossMinor + bought.counts.Yen.GrossMinor // one of them is 0
		if len(refund.Lines) > 0 {
			amount = refund.Lines[0].AmountMinor
		}
		p.rows[refund.ID] = row{
			product: bought.product, user: bought.user, at: refund.TS, refund: true,
			counts: inCurrency(bought.name, tally.Money{RefundedMinor: amount, NetMinor: -amount}),
		}
		p.pending = 3
		p.idempotent[refund.ID] = fmt.Sprintf(`{"id":%q,"batch_id":"17"}`, refund.ID)
	}
	p.answer(w, http.StatusCreated, "%s", p.idempotent[refund.ID])
}

// count adds up the rows that match.
func (p *fakePlatform) count(path string, match func(r row) bool) (c tally.Counts) {
	users := map[string]bool{}
	for _, r := range p.rows {
		if match(r) {
			c.Add(r.counts)
			if !r.refund {
				users[r.user] = true
			}
		}
	}
	c.UniqueUsers = int64(len(users))
	if p.falsify != nil {
		p.falsify(path, &c)
	}
	return c
}

// meta reports pending events in the first answers after a write.
func (p *fakePlatform) meta() string {
	now := time.Now()
	until := now
	if p.pending > 0 {
		if until = now.Add(-time.Hour); !p.stuck {
			p.pending--
		}
	}
	return fmt.Sprintf(`{"as_of":%q,"complete_until":%q,"pending_events":%d,"cached":false,"time_zone":%q}`,
		now.Format(time.RFC3339Nano), until.Format(time.RFC3339Nano), p.pending, p.zone)
}

func (p *fakePlatform) series(w http.ResponseWriter, r *http.Request) {
	product := p.find(r.PathValue("id"))
	var points []string
	for _, day := range p.daysOf(r) {
		name := day.Format(time.DateOnly)
		counts := p.count("point "+name, func(r row) bool { return r.product == product.ID && p.day(r) == name })
		points = append(points, fmt.Sprintf(`{"start":%q,%s`, day.Format(time.RFC3339), p.counts(counts)[1:]))
	}
	totals := p.count("series "+product.SKU, func(r row) bool { return r.product == product.ID })
	p.answer(w, http.StatusOK, `{"product":{"id":%q,"sku":%q},"points":[%s],"totals":%s,"meta":%s}`,
		product.ID, product.SKU, strings.Join(points, ","), p.counts(totals), p.meta())
}

// daysOf returns when the days of a request begin.
func (p *fakePlatform) daysOf(r *http.Request) (days []time.Time) {
	from, err := time.ParseInLocation(time.DateOnly, r.URL.Query().Get("from"), p.zone)
	p.check(err)
	to, err := time.ParseInLocation(time.DateOnly, r.URL.Query().Get("to"), p.zone)
	p.check(err)
	for day := from; !day.After(to); day = day.AddDate(0, 0, 1) {
		days = append(days, day)
	}
	return days
}

// events answers with the series of a name. The hours of the zones in these tests begin with those of UTC.
func (p *fakePlatform) events(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	starts, interval := p.daysOf(r), query.Get("interval")
	end := starts[len(starts)-1].AddDate(0, 0, 1)
	if interval == "hour" {
		first := starts[0]
		starts = nil
		for hour := first; hour.Before(end); hour = hour.Add(time.Hour) {
			starts = append(starts, hour)
		}
	}
	var points []string
	for i, start := range starts {
		until := end
		if i+1 < len(starts) {
			until = starts[i+1]
		}
		counts := p.count(interval+" "+start.Format(time.RFC3339), func(r row) bool {
			return r.name == query.Get("type") && !r.at.Before(start) && r.at.Before(until)
		})
		points = append(points, fmt.Sprintf(`{"start":%q,"events":%d,"unique_users":%d}`, start.Format(time.RFC3339), counts.Events, counts.UniqueUsers))
	}
	totals := p.count("all by "+interval, func(r row) bool { return r.name == query.Get("type") })
	p.answer(w, http.StatusOK, `{"interval":%q,"points":[%s],"totals":{"events":%d,"unique_users":%d},"meta":%s}`,
		interval, strings.Join(points, ","), totals.Events, totals.UniqueUsers, p.meta())
}

// counts returns the JSON of counts, with money by currency.
func (p *fakePlatform) counts(c tally.Counts) string {
	var revenue []string
	for currency, m := range map[string]tally.Money{"EUR": c.Euro, "JPY": c.Yen} {
		if m != (tally.Money{}) {
			revenue = append(revenue, fmt.Sprintf(`{"currency":%q,%s`, currency, p.json(m)[1:]))
		}
	}
	return strings.TrimSuffix(p.json(c), "}") + `,"revenue":[` + strings.Join(revenue, ",") + "]}"
}

func (p *fakePlatform) top(w http.ResponseWriter, r *http.Request) {
	metric := tally.Measure(strings.TrimSpace(r.URL.Query().Get("metric") + " " + r.URL.Query().Get("currency")))
	type place struct {
		product fakeProduct
		value   int64
	}
	var places []place
	for _, product := range p.products {
		counts := p.count("top "+string(metric), func(r row) bool { return r.product == product.ID })
		if value := metric.Of(counts); value != 0 {
			places = append(places, place{product, value})
		}
	}
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(cmp.Compare(b.value, a.value), cmp.Compare(a.product.ID, b.product.ID))
	})
	var items []string
	for _, place := range places[:min(len(places), 100)] {
		items = append(items, fmt.Sprintf(`{"product":{"id":%q,"sku":%q},"value":%d}`, place.product.ID, place.product.SKU, place.value))
	}
	p.answer(w, http.StatusOK, `{"items":[%s],"meta":%s}`, strings.Join(items, ","), p.meta())
}

func (p *fakePlatform) summary(w http.ResponseWriter, r *http.Request) {
	counts := p.count("summary "+r.PathValue("id"), func(row row) bool { return row.user == r.PathValue("id") })
	counts.UniqueUsers = min(counts.UniqueUsers, 1)
	p.answer(w, http.StatusOK, `{"totals":%s,"meta":%s}`, p.counts(counts), p.meta())
}

func (p *fakePlatform) json(value any) string {
	data, err := json.Marshal(value)
	p.check(err)
	return string(data)
}

func (p *fakePlatform) decode(r *http.Request, into any) { p.check(json.Unmarshal(p.body(r), into)) }

func (p *fakePlatform) body(r *http.Request) []byte {
	var body io.Reader = r.Body
	var err error
	switch r.Header.Get("Content-Encoding") {
	case "gzip":
		body, err = gzip.NewReader(r.Body)
	case "zstd":
		body, err = zstd.NewReader(r.Body)
	}
	var data []byte
	if err == nil {
		data, err = io.ReadAll(body)
	}
	if err != nil && p.cutOff {
		panic(http.ErrAbortHandler)
	}
	p.check(err)
	return data
}

func (p *fakePlatform) check(err error) {
	if err != nil {
		p.t.Error(err)
	}
}
