package client_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/client"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/tally"
)

// answering returns a client of a platform that answers with the given text.
func answering(t *testing.T, handler func(r *http.Request) string) *client.Client {
	t.Helper()
	return newClient(t, client.Options{Transport: inProcess{func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, handler(r))
	}}})
}

func TestFatesMustAddUp(t *testing.T) {
	t.Parallel()
	c := answering(t, func(*http.Request) string { return `{"accepted":1,"duplicates":1}` })
	if _, err := c.SendEvents(t.Context(), make([]client.Event, 3), client.Form{}); err == nil {
		t.Error("two fates for three events are taken")
	}
}

func TestAnEventAloneMayHaveNoTime(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]client.Fates{"accepted": {Accepted: 1}, "duplicate": {Duplicates: 1}} {
		c := answering(t, func(r *http.Request) string {
			if body, _ := io.ReadAll(r.Body); string(body) != `{"id":"a","type":"view","user_id":"u"}` {
				t.Errorf("body: %s", body)
			}
			return `{"status":"` + status + `"}`
		})
		got, err := c.SendEvent(t.Context(), client.Event{ID: "a", Type: "view", UserID: "u"})
		if err != nil || !cmp.Equal(got, want) {
			t.Errorf("%s: %+v, %v", status, got, err)
		}
	}
	if _, err := answering(t, func(*http.Request) string { return `{"status":"maybe"}` }).SendEvent(t.Context(), client.Event{}); err == nil {
		t.Error("an unknown status is taken")
	}
}

func TestProductIDsOfAllPages(t *testing.T) {
	t.Parallel()
	c := answering(t, func(r *http.Request) string {
		if q := r.URL.Query(); q.Get("q") != "tag" || q.Get("limit") != "100" {
			t.Errorf("query: %s", r.URL.RawQuery)
		}
		if r.URL.Query().Get("cursor") == "more" {
			return `{"items":[{"id":"2","sku":"B"}],"next_cursor":null}`
		}
		return `{"items":[{"id":"1","sku":"A"}],"next_cursor":"more"}`
	})
	got, err := c.ProductIDs(t.Context(), "tag")
	if diff := cmp.Diff(map[string]string{"A": "1", "B": "2"}, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestProductsAreWrittenInBatches(t *testing.T) {
	t.Parallel()
	var sizes []int
	result := `{"errors":[]}`
	c := answering(t, func(r *http.Request) string {
		var bulk struct{ Products []client.Product }
		if err := json.NewDecoder(r.Body).Decode(&bulk); err != nil {
			t.Error(err)
		}
		sizes = append(sizes, len(bulk.Products))
		return result
	})
	if err := c.PutProducts(t.Context(), make([]client.Product, 2_500)); err != nil || !slices.Equal(sizes, []int{1000, 1000, 500}) {
		t.Errorf("batches of %v, %v", sizes, err)
	}
	result = `{"errors":[{"index":1,"code":"currency_immutable","detail":"No."}]}`
	err := c.PutProducts(t.Context(), []client.Product{{SKU: "A"}, {SKU: "B"}})
	if err == nil || !strings.Contains(err.Error(), "product B was refused") {
		t.Errorf("%v", err)
	}
}

// A key whose creation was repeated has a twin; both go, and no other.
func TestKeysAreRevokedByName(t *testing.T) {
	t.Parallel()
	var revoked []string
	c := answering(t, func(r *http.Request) string {
		if r.Header.Get("Authorization") != "Bearer token" {
			t.Errorf("Authorization: %s", r.Header.Get("Authorization"))
		}
		if r.Method == http.MethodDelete {
			revoked = append(revoked, r.URL.Path)
			return ""
		}
		return `{"items":[
			{"id":"1","name":"mine","revoked_at":null}, {"id":"2","name":"other","revoked_at":null},
			{"id":"3","name":"mine","revoked_at":"2026-01-01T00:00:00Z"}, {"id":"4","name":"mine","revoked_at":null}]}`
	})
	if err := c.With("token").RevokeKeys(t.Context(), "mine"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"/auth/api-keys/1", "/auth/api-keys/4"}, revoked); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAPurchaseCarriesItsKey(t *testing.T) {
	t.Parallel()
	c := newClient(t, client.Options{Transport: inProcess{func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Idempotency-Key") != "order-1" {
			t.Errorf("headers: %v", r.Header)
		}
		w.Header().Set("Idempotency-Replayed", "true")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"id":"p","batch_id":"b"}`)
	}}})
	stored, replayed, err := c.SendPurchase(t.Context(), client.Purchase{ID: "p"}, "order-1")
	if err != nil || !replayed || stored != (client.StoredPurchase{ID: "p", BatchID: "b"}) {
		t.Errorf("%+v, %t, %v", stored, replayed, err)
	}
}

func TestSeries(t *testing.T) {
	t.Parallel()
	const counts = `"events":1,"views":2,"clicks":3,"add_to_carts":4,"purchases":5,"units":6,"revenue_minor":7,"unique_users":8`
	c := answering(t, func(r *http.Request) string {
		if want := "/analytics/products/p/timeseries?from=2026-03-01&interval=day&to=2026-03-02"; r.URL.RequestURI() != want {
			t.Errorf("asked for %s, want %s", r.URL.RequestURI(), want)
		}
		return fmt.Sprintf(`{"product":{"id":"p","sku":"S"},"points":[{"start":"2026-03-01",%s}],"totals":{%s},
			"meta":{"as_of":"2026-03-02T00:00:00.25Z","complete_until":"2026-03-02T00:00:00Z","pending_events":9,"cached":true}}`, counts, counts)
	})
	day := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	got, err := c.Series(t.Context(), "p", client.Days{From: day, To: day.AddDate(0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	all := tally.Counts{Events: 1, Views: 2, Clicks: 3, AddToCarts: 4, Purchases: 5, Units: 6, RevenueMinor: 7, UniqueUsers: 8}
	want := client.Series{
		Product: client.ProductRef{ID: "p", SKU: "S"},
		Points:  []client.Point{{Start: "2026-03-01", Counts: all}},
		Totals:  all,
		Meta: client.Meta{
			AsOf: day.Add(24*time.Hour + 250*time.Millisecond), CompleteUntil: day.Add(24 * time.Hour), PendingEvents: 9, Cached: true,
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
