package client_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/client"
)

func TestEveryFormCarriesTheSameEvents(t *testing.T) {
	t.Parallel()
	events := []client.EventInput{
		{
			ID: "0195a3f4-11d2-7c9e-a6f0-8b3e5d7c2a91", Type: "view", SKU: "S", UserID: "u",
			TS: time.Date(2026, 3, 17, 1, 2, 3, 4_000_000, time.UTC), Properties: map[string]any{"q": "x"},
		},
		{ID: "order 17, click", Type: "click", ProductID: uuid.Max, UserID: "v"},
	}
	seen := map[string]bool{}
	for _, encoding := range []client.Encoding{"", client.Gzip, client.Zstd} {
		for _, form := range [][]client.CallOption{nil, {client.AsNDJSON()}} {
			s := newServer(t, answer(http.StatusAccepted, `{"accepted":2}`))
			result, err := newClient(t, s.URL).CreateEventsBulk(t.Context(), client.EventBulkRequest{Events: events}, nil,
				append(form, client.Compressed(encoding))...)
			if err != nil || result.Accepted != 2 {
				t.Fatalf("%+v, %v", result, err)
			}
			request := s.received()[0]
			seen[request.header.Get("Content-Type")+" "+request.header.Get("Content-Encoding")] = true
			if diff := cmp.Diff(events, eventsOf(t, request)); diff != "" {
				t.Errorf("%s %d (-want +got):\n%s", encoding, len(form), diff)
			}
		}
	}
	if len(seen) != 6 {
		t.Errorf("forms: %v", slices.Sorted(maps.Keys(seen)))
	}
	c := newClient(t, "http://platform.test")
	if _, err := c.CreateEvent(t.Context(), view, nil, client.AsNDJSON()); err == nil {
		t.Error("a single event was sent as NDJSON")
	}
	if _, err := c.CreateEvent(t.Context(), view, nil, client.Compressed("br")); err == nil {
		t.Error("an encoding that the platform does not take was used")
	}
}

func TestParametersAndHeaders(t *testing.T) {
	t.Parallel()
	var got *http.Request
	c := local(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		w.Header().Set("Idempotency-Replayed", "true")
		answer(http.StatusOK, `{"points":[{"start":"2026-03-01T00:00:00Z","views":3}],"meta":{"cached":true}}`)(w, r)
	}, client.WithUserAgent("shop/1.2"), client.WithProject("shop-b"))
	day := client.Day(time.Date(2026, 3, 1, 23, 0, 0, 0, time.UTC))
	id := uuid.MustParse("0195a3f4-11d2-7c9e-a6f0-8b3e5d7c2a91")
	series, err := c.ProductTimeseries(t.Context(), id, &client.ProductTimeseriesParams{From: day, Interval: client.IntervalWeek})
	if err != nil || !series.Meta.Cached || len(series.Points) != 1 || series.Points[0].Views != 3 || !series.Points[0].Start.Equal(day.Time) {
		t.Errorf("%+v, %v", series, err)
	}
	if want := "/analytics/products/" + id.String() + "/timeseries?from=2026-03-01&interval=week"; got.URL.RequestURI() != want {
		t.Errorf("called %s, want %s", got.URL.RequestURI(), want)
	}
	if got.UserAgent() != "shop/1.2" || got.Header.Get("Project") != "shop-b" {
		t.Errorf("User-Agent: %s, Project: %s", got.UserAgent(), got.Header.Get("Project"))
	}
	if _, err := c.UserSummary(t.Context(), "a/b c", nil); err != nil || got.URL.RequestURI() != "/analytics/users/a%2Fb%20c/summary" {
		t.Errorf("called %s, %v", got.URL.RequestURI(), err)
	}
	var header http.Header
	params := &client.CreatePurchaseParams{IdempotencyKey: "order-1", Wait: client.WaitForAggregated}
	if _, err := c.CreatePurchase(t.Context(), client.PurchaseRequest{Quantity: 1}, params, client.ResponseHeader(&header)); err != nil {
		t.Fatal(err)
	}
	if got.Header.Get("Idempotency-Key") != "order-1" || got.URL.RawQuery != "wait=aggregated" || header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("request %v %s, response %v", got.Header, got.URL, header)
	}
}

// TestProductsAreThoseOfTheCaller sends the credential with what needs none, because it says whose project is meant.
func TestProductsAreThoseOfTheCaller(t *testing.T) {
	t.Parallel()
	for want, options := range map[string][]client.Option{"": nil, "Bearer hpa_x": {client.WithAPIKey("hpa_x")}} {
		var got []string
		c := local(t, func(w http.ResponseWriter, r *http.Request) {
			got = append(got, r.Header.Get("Authorization"))
			answer(http.StatusOK, `{"items":[]}`)(w, r)
		}, options...)
		if _, err := c.ListProducts(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if _, err := c.GetProduct(t.Context(), uuid.Max, nil); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, []string{want, want}) {
			t.Errorf("Authorization: %q, want %q", got, want)
		}
	}
}

func TestAllProductsFollowsPages(t *testing.T) {
	t.Parallel()
	c := local(t, func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		switch {
		case query.Get("q") != "tag" || query.Get("limit") != "2":
			refuse(422, "cursor_mismatch", "")(w, r)
		case query.Get("cursor") == "":
			answer(http.StatusOK, `{"items":[{"sku":"A"},{"sku":"B"}],"next_cursor":"more"}`)(w, r)
		default:
			answer(http.StatusOK, `{"items":[{"sku":"C"}],"next_cursor":null}`)(w, r)
		}
	})
	var skus []string
	for product, err := range c.AllProducts(t.Context(), &client.ListProductsParams{Q: "tag", Limit: 2}) {
		if err != nil {
			t.Fatal(err)
		}
		skus = append(skus, product.SKU)
	}
	if !slices.Equal(skus, []string{"A", "B", "C"}) {
		t.Errorf("%v", skus)
	}
	for _, err := range c.AllProducts(t.Context(), nil) {
		if err == nil {
			t.Error("an error was not passed on")
		}
	}
}

func TestAnswersThatBreakTheContract(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"wrong type": `{"id":7}`,
		"too large":  `{"id":"` + strings.Repeat("x", 16<<20) + `"}`,
	} {
		handler, attempts := inTurn(answer(http.StatusAccepted, body))
		if _, err := local(t, handler).CreateEvent(t.Context(), view, nil); err == nil || *attempts != 1 {
			t.Errorf("%s: %d attempts, %v", name, *attempts, err)
		}
	}
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	called := map[string]string{} // host by path
	c := local(t, func(w http.ResponseWriter, r *http.Request) {
		called[r.URL.Path] = r.Host
		answer(http.StatusOK, `{}`)(w, r)
	}, client.WithRoute("events", "http://ingest.test:8080/"))
	if _, err := c.Login(t.Context(), client.LoginRequest{}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.CreateEvent(t.Context(), view, nil); err != nil {
		t.Fatal(err)
	}
	if want := map[string]string{"/auth/login": "platform.test", "/events": "ingest.test:8080"}; !maps.Equal(called, want) {
		t.Errorf("called %v, want %v", called, want)
	}
}

func TestInvalidOptions(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "localhost:8080", "ftp://localhost", "http://", "http://a b", "http://h?x=1"} {
		if _, err := client.New(url); err == nil {
			t.Errorf("the base URL %q was accepted", url)
		}
	}
	for i, option := range []client.Option{
		client.WithRoute("events", "ingest"), client.WithAPIKey(""), client.WithLogin("", "x"), client.WithLogin("x", ""),
	} {
		if _, err := client.New("http://h", option); err == nil {
			t.Errorf("option %d was accepted", i)
		}
	}
}

func TestNewIDsAreInOrder(t *testing.T) {
	t.Parallel()
	last := ""
	for range 100 {
		id, err := client.NewID()
		if err != nil || id.Version() != 7 || id.String() <= last {
			t.Fatal(fmt.Sprint(id, err))
		}
		last = id.String()
	}
}
