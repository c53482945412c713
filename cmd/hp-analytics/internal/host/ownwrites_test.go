package host_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
)

// TestAWriterSeesItsOwnWrites changes products in catalog and sends the next request to ingest, which has just used the
// product as it was before. Redis has no part in it: the second run has none.
func TestAWriterSeesItsOwnWrites(t *testing.T) {
	t.Parallel()
	for name, redis := range map[string]func(t *testing.T) string{
		"with Redis": func(t *testing.T) string { return string(redistest.New(t).URL) },
		"without Redis": func(t *testing.T) string {
			server := redistest.StartServer(t)
			server.Stop()
			t.Cleanup(server.Restart) // StartServer stops it again
			return string(server.Config().URL)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startPlatformOn(t, redis(t))
			s := newShop(p)
			t.Run("new product", s.created)
			t.Run("new price", s.repriced)
			t.Run("archived", s.archived)
			t.Run("SKU given to another product", s.renamed)
		})
	}
}

// shop writes products and sends what happens with them.
type shop struct {
	*platform

	admin, user, key, reader string // authorizations
}

func newShop(p *platform) shop {
	byName := map[string]string{}
	for _, c := range p.callers() {
		byName[c.name] = c.authorization
	}
	return shop{platform: p, admin: byName["admin"], user: byName["user"], key: byName["key `ingest`"], reader: byName["key `read`"]}
}

// create creates a product at 100.00 EUR and returns its path and id.
func (s shop) create(sku string) (path, id string) {
	s.t.Helper()
	p := s.send(http.MethodPost, "/products", s.admin, fmt.Sprintf(`{"sku":%q,"name":"Product","price_minor":10000,"currency":"EUR"}`, sku))
	return "/products/" + p["id"].(string), p["id"].(string)
}

func (s shop) patch(path, patch string) {
	s.t.Helper()
	status, body := s.do(http.MethodPatch, path, s.admin, "application/merge-patch+json", patch)
	if status != http.StatusOK {
		s.t.Fatalf("PATCH %s %s: %d %s", path, patch, status, body)
	}
}

// code returns the code of the first problem of a request; empty if it succeeds.
func (s shop) code(path, authorization, body string) string {
	s.t.Helper()
	status, content := s.do(http.MethodPost, path, authorization, "application/json", body)
	var answer struct{ Errors []struct{ Code string } }
	if err := json.Unmarshal(content, &answer); err != nil {
		s.t.Fatal(err)
	}
	switch {
	case len(answer.Errors) > 0:
		return answer.Errors[0].Code
	case status >= http.StatusBadRequest:
		s.t.Fatalf("POST %s: %d %s", path, status, content)
	}
	return ""
}

func (s shop) view(sku string) string {
	return s.code("/events", s.key, fmt.Sprintf(`{"type":"view","sku":%q,"user_id":"u"}`, sku))
}

// views sends two events in a bulk, of which one is of another product.
func (s shop) views(sku, other string) string {
	item := `{"type":"view","sku":%q,"user_id":"u"}`
	return s.code("/events/bulk", s.key, fmt.Sprintf(`{"events":[`+item+`,`+item+`]}`, other, sku))
}

// buy buys two and returns the amount of the answer, which is what is stored.
func (s shop) buy(authorization, sku string) float64 {
	s.t.Helper()
	body := fmt.Sprintf(`{"sku":%q,"quantity":2,"user_id":"u"}`, sku)
	if authorization == s.user {
		body = fmt.Sprintf(`{"sku":%q,"quantity":2}`, sku)
	}
	answer := s.send(http.MethodPost, "/purchases", authorization, body)
	var stored float64
	err := s.database.Pool("").QueryRow(s.t.Context(), `SELECT amount_minor FROM ingest.order_lines WHERE order_id = $1`, answer["id"]).Scan(&stored)
	if err != nil || stored != answer["amount_minor"] {
		s.t.Errorf("stored %v, %v; answered %v", stored, err, answer["amount_minor"])
	}
	return stored
}

// created sends events of a product before and after it is created.
func (s shop) created(t *testing.T) {
	s.create("OTHER")
	for n := range 3 {
		sku := fmt.Sprint("NEW-", n)
		if code := s.view(sku); code != "unknown_product" {
			t.Errorf("before the product is there: %q", code)
		}
		if code := s.views(sku, "OTHER"); code != "unknown_product" {
			t.Errorf("bulk before the product is there: %q", code)
		}
		s.create(sku)
		if code := s.view(sku); code != "" {
			t.Errorf("an event right after the product was created: %q", code)
		}
		if code := s.views(sku, "OTHER"); code != "" {
			t.Errorf("a bulk right after the product was created: %q", code)
		}
	}
}

func (s shop) repriced(t *testing.T) {
	path, _ := s.create("PRICED")
	price := 10000
	for range 3 {
		for _, caller := range []string{s.key, s.user} {
			if got := s.buy(caller, "PRICED"); got != float64(2*price) {
				t.Errorf("bought two for %v, want %d", got, 2*price)
			}
		}
		former := price
		price /= 2
		s.patch(path, fmt.Sprintf(`{"price_minor":%d}`, price))
		named := `{"sku":"PRICED","quantity":1,"amount_minor":%d}`
		if code := s.code("/purchases", s.user, fmt.Sprintf(named, former)); code != "price_forbidden" {
			t.Errorf("a user at the former price: %q", code)
		}
		if code := s.code("/purchases", s.user, fmt.Sprintf(named, price)); code != "" {
			t.Errorf("a user at the new price: %q", code)
		}
	}
}

// archived sends what happens with a product that is not sold any more: it is counted.
func (s shop) archived(t *testing.T) {
	path, _ := s.create("SEASONAL")
	s.send(http.MethodDelete, path, s.admin, "")
	if code := s.view("SEASONAL"); code != "" {
		t.Errorf("an event: %q", code)
	}
	if code := s.views("SEASONAL", "OTHER"); code != "" {
		t.Errorf("a bulk: %q", code)
	}
	s.buy(s.key, "SEASONAL")
}

// renamed gives the SKU of one product to another one. What happens then belongs to the other one.
func (s shop) renamed(t *testing.T) {
	path, former := s.create("MOVED")
	for n := range 3 {
		if code := s.view("MOVED"); code != "" {
			t.Errorf("before: %q", code)
		}
		s.patch(path, fmt.Sprintf(`{"sku":"MOVED-%d"}`, n))
		if code := s.view("MOVED"); code != "unknown_product" {
			t.Errorf("an event for a SKU that no product has any more: %q", code)
		}
		next, id := s.create("MOVED")
		event := fmt.Sprintf(`{"type":"view","sku":"MOVED","user_id":"after-%d"}`, n)
		if code := s.code("/events", s.key, event); code != "" {
			t.Errorf("after: %q", code)
		}
		s.buy(s.key, "MOVED")
		var product string
		err := s.database.Pool("").QueryRow(t.Context(), `
			SELECT p.id
			FROM ingest.events AS e
			JOIN ingest.users AS u ON u.n = e.user_n
			JOIN catalog.products AS p ON p.n = e.product
			WHERE u.id = $1`, fmt.Sprint("after-", n)).Scan(&product)
		if err != nil || product != id {
			t.Errorf("stored for product %s, %v; want %s, and its SKU was of %s before", product, err, id, former)
		}
		path, former = next, id
	}
}
