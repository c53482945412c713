package compose_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/client"
)

const (
	adminEmail    = "admin@example.com"
	adminPassword = "correct-horse-battery-staple"
)

// caller calls the platform through the gateway with a token or an API key: with the generated client, or with send where
// a test looks at the HTTP itself.
type caller struct {
	stack
	api   *client.Client
	token string
}

func (s stack) caller(t *testing.T, token string) caller {
	t.Helper()
	var options []client.Option
	if token != "" {
		options = append(options, client.WithAPIKey(token))
	}
	api, err := client.New(s.url, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(api.CloseIdleConnections)
	return caller{s, api, token}
}

// accounts checks that an account that is made by hand does not get the password of the first admin.
func (s stack) accounts(t *testing.T) {
	out := s.must(t, "run", "--rm", "cli", "admin", "create", "--email", "ada@example.com", "--role", "analyst")
	if !strings.Contains(out, "ada@example.com is created with the role analyst") {
		t.Error(out)
	}
	_, err := s.caller(t, "").api.Login(t.Context(), client.LoginRequest{Email: "ada@example.com", Password: adminPassword})
	if problem, ok := errors.AsType[*client.Error](err); !ok || problem.Status != http.StatusUnauthorized {
		t.Errorf("the password of the admin logs in another account: %v", err)
	}
}

// login logs in as the admin. The client waits while the gateway's rate limit refuses it.
func (s stack) login(t *testing.T) caller {
	t.Helper()
	tokens, err := s.caller(t, "").api.Login(t.Context(), client.LoginRequest{Email: adminEmail, Password: adminPassword})
	if err != nil {
		t.Fatal(err)
	}
	return s.caller(t, tokens.AccessToken)
}

func (c caller) send(t *testing.T, method, path string, body []byte, headers ...string) answer {
	t.Helper()
	headers = append([]string{"Authorization", "Bearer " + c.token, "Content-Type", "application/json"}, headers...)
	return c.stack.send(t, method, path, body, headers...)
}

// apiKey creates an API key that may ingest.
func (c caller) apiKey(t *testing.T) (key string) {
	t.Helper()
	created, err := c.api.CreateAPIKey(t.Context(), client.APIKeyCreateRequest{Name: "compose test", Scopes: []client.Scope{client.ScopeIngest}})
	if err != nil {
		t.Fatal(err)
	}
	return created.Key
}

// product creates a product with a description.
func (c caller) product(t *testing.T, description string) client.Product {
	t.Helper()
	product, err := c.api.CreateProduct(t.Context(), client.ProductCreateRequest{
		SKU: "SKU-" + rand.Text(), Name: "Kettle", PriceMinor: 4900, Currency: "EUR", Description: description,
	})
	if err != nil {
		t.Fatal(err)
	}
	return product
}

// largeProduct creates a product that is worth compressing and returns its path.
func (c caller) largeProduct(t *testing.T) string {
	t.Helper()
	return "/products/" + c.product(t, strings.Repeat("It boils. ", 200)).ID.String()
}

// traffic counts what a client met while it sent events.
type traffic struct {
	stored, refused int
	problems        []string // what a client must never see
}

// sendUntil sends an event every 20 ms until ctx ends, each until it is stored.
func (s stack) sendUntil(ctx context.Context, t *testing.T, key, sku string) (sum traffic) {
	api, err := client.New(s.url, client.WithAPIKey(key), client.WithRetryPolicy(client.RetryPolicy{OnRetry: func(err error, _ time.Duration) {
		if refusal, ok := errors.AsType[*client.Error](err); ok && refusal.Status == http.StatusServiceUnavailable &&
			refusal.Code != "" && refusal.RetryAfter > 0 {
			sum.refused++
			return
		}
		sum.problems = append(sum.problems, fmt.Sprintf("POST /events: %v", err))
	}}))
	if err != nil {
		return traffic{problems: []string{err.Error()}}
	}
	defer api.CloseIdleConnections()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		// The test's context: the last event is stored even after ctx has ended.
		if _, err := api.CreateEvent(t.Context(), client.EventInput{Type: "view", SKU: sku, UserID: "u1"}, nil); err != nil {
			sum.problems = append(sum.problems, err.Error())
		} else {
			sum.stored++
		}
		<-tick.C
	}
	return sum
}

// views returns how many views of a product the numbers include.
func (c caller) views(t *testing.T, product client.Product) int64 {
	t.Helper()
	today := client.Day(time.Now())
	series, err := c.api.ProductTimeseries(t.Context(), product.ID, &client.ProductTimeseriesParams{From: today, To: today})
	if err != nil {
		t.Fatal(err)
	}
	return series.Totals.Views
}
