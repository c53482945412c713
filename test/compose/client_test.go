package compose_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

const (
	adminEmail    = "admin@example.com"
	adminPassword = "correct-horse-battery-staple"
)

// client is somebody with a token or an API key.
type client struct {
	stack
	t     *testing.T
	token string
}

func (s stack) login(t *testing.T) client {
	t.Helper()
	var tokens struct {
		AccessToken string `json:"access_token"`
	}
	body := fmt.Appendf(nil, `{"email":%q,"password":%q}`, adminEmail, adminPassword)
	s.until(t, 200, http.MethodPost, "/auth/login", body, "Content-Type", "application/json").read(t, &tokens)
	return client{s, t, tokens.AccessToken}
}

// until repeats a request that the gateway's limit has turned away.
func (s stack) until(t *testing.T, status int, method, path string, body []byte, headers ...string) answer {
	t.Helper()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		a := s.send(t, method, path, body, headers...)
		if a.status == status {
			return a
		}
		if a.status != http.StatusTooManyRequests {
			t.Fatalf("%s %s: %d %s", method, path, a.status, a.body)
		}
		<-tick.C
	}
}

func (a answer) read(t *testing.T, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), into); err != nil {
		t.Fatalf("%s: %v", a.body, err)
	}
}

func (c client) send(t *testing.T, method, path string, body []byte, headers ...string) answer {
	t.Helper()
	headers = append([]string{"Authorization", "Bearer " + c.token, "Content-Type", "application/json"}, headers...)
	return c.stack.send(t, method, path, body, headers...)
}

func (c client) apiKey(t *testing.T) client {
	t.Helper()
	var key struct{ Key string }
	c.send(t, http.MethodPost, "/auth/api-keys", []byte(`{"name":"compose test","scopes":["ingest"]}`)).read(t, &key)
	return client{c.stack, t, key.Key}
}

// product makes a product and returns its SKU.
func (c client) product(t *testing.T) string {
	t.Helper()
	sku := "SKU-" + rand.Text()
	c.create(t, fmt.Sprintf(`{"sku":%q,"name":"Kettle","price_minor":4900,"currency":"EUR"}`, sku))
	return sku
}

// largeProduct makes a product that is worth compressing and returns its path.
func (c client) largeProduct(t *testing.T) string {
	t.Helper()
	return "/products/" + c.create(t, fmt.Sprintf(`{"sku":%q,"name":"Kettle","price_minor":4900,"currency":"EUR","description":%q}`,
		"SKU-"+rand.Text(), strings.Repeat("It boils. ", 200)))
}

func (c client) create(t *testing.T, body string) (id string) {
	t.Helper()
	a := c.send(t, http.MethodPost, "/products", []byte(body))
	if a.status != http.StatusCreated {
		t.Fatalf("POST /products: %d %s", a.status, a.body)
	}
	var product struct{ ID string }
	a.read(t, &product)
	return product.ID
}

// traffic is the account of a client that has sent events.
type traffic struct {
	stored, refused int
	problems        []string // what a client must never see
}

// sendUntil sends an event every 20 ms until ctx ends, each until it is stored.
func (c client) sendUntil(ctx context.Context, sku string) (sum traffic) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		id, err := uuid.NewV7()
		if err != nil {
			sum.problems = append(sum.problems, err.Error())
			return sum
		}
		body := fmt.Appendf(nil, `{"id":%q,"type":"view","sku":%q,"user_id":"u1"}`, id, sku)
		for !c.store(body, &sum) {
			<-tick.C
		}
		<-tick.C
	}
	return sum
}

// store sends one event and reports whether it is settled.
func (c client) store(body []byte, sum *traffic) bool {
	a, err := c.try(c.t, http.MethodPost, "/events", body, "Authorization", "Bearer "+c.token, "Content-Type", "application/json")
	switch {
	case err == nil && a.status == http.StatusAccepted:
		sum.stored++
	case err == nil && a.status == http.StatusServiceUnavailable && a.header.Get("Retry-After") != "" &&
		a.header.Get("Content-Type") == "application/problem+json":
		sum.refused++
		return false
	default:
		sum.problems = append(sum.problems, fmt.Sprintf("POST /events: %d %v %s", a.status, err, a.body))
	}
	return true
}

// counted returns how many views of a product the numbers have.
func (c client) counted(t *testing.T, sku string) int {
	t.Helper()
	today := time.Now().UTC().Format(time.DateOnly)
	a := c.send(t, http.MethodGet, "/products?limit=1&q="+sku, nil)
	var found struct{ Items []struct{ ID string } }
	a.read(t, &found)
	if len(found.Items) != 1 {
		t.Fatalf("product %s: %s", sku, a.body)
	}
	series := c.send(t, http.MethodGet, "/analytics/products/"+found.Items[0].ID+"/timeseries?interval=day&from="+today+"&to="+today, nil)
	var numbers struct{ Totals struct{ Views int } }
	series.read(t, &numbers)
	return numbers.Totals.Views
}
