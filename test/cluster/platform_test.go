package cluster_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"testing"
	"time"
)

// platform is an installation as seen by a customer's program.
type platform struct {
	url  string
	http *http.Client
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// call makes one request without retries and decodes the answer. A status other than want is an error.
func (p platform) call(ctx context.Context, method, path, token string, body, into any, want int) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var content io.Reader = http.NoBody
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(ctx, method, p.url+path, content)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := p.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if response.StatusCode != want {
		return fmt.Errorf("%s %s: %s, want %d: %s", method, path, response.Status, want, answer)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer, into)
}

// login returns an access token.
func (p platform) login(t *testing.T, email, password string) string {
	t.Helper()
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := p.call(t.Context(), http.MethodPost, "/auth/login", "", map[string]string{"email": email, "password": password}, &answer, http.StatusOK); err != nil {
		t.Fatal(err)
	}
	return answer.Token
}

// shop is a product, and a key that may send its events and read its numbers.
type shop struct {
	productID string
	sku       string
	key       string
	token     string
}

func (p platform) newShop(t *testing.T, token string) shop {
	t.Helper()
	s := shop{sku: "E2E-" + rand.Text(), token: token}
	var product, key struct{ ID, Key string }
	if err := p.call(t.Context(), http.MethodPost, "/products", token, map[string]any{
		"sku": s.sku, "name": "Something to sell", "price_minor": 1000, "currency": "EUR",
	}, &product, http.StatusCreated); err != nil {
		t.Fatal(err)
	}
	if err := p.call(t.Context(), http.MethodPost, "/auth/api-keys", token, map[string]any{
		"name": s.sku, "scopes": []string{"ingest", "read"},
	}, &key, http.StatusCreated); err != nil {
		t.Fatal(err)
	}
	s.productID, s.key = product.ID, key.Key
	return s
}

// counted returns the number of events of the shop's product in the rollups.
func (p platform) counted(ctx context.Context, s shop) (int, error) {
	now := time.Now().UTC()
	var answer struct {
		Totals struct{ Events int }
	}
	err := p.call(ctx, http.MethodGet, fmt.Sprintf("/analytics/products/%s/timeseries?from=%s&to=%s&interval=day", s.productID,
		now.AddDate(0, 0, -1).Format(time.DateOnly), now.Format(time.DateOnly)), s.key, nil, &answer, http.StatusOK)
	return answer.Totals.Events, err
}
