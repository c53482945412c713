package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/hp-analytics/hp-analytics/client"
)

// platform stands for a running platform: it loses the first answer.
func platform() *httptest.Server {
	stored := ""
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case r.URL.Path == "/analytics/products/top":
			_, _ = io.WriteString(w, `{"items":[{"rank":1,"product":{"sku":"SHOE-TRAIL-42"},"value":1402}]}`)
		case r.URL.Path == "/purchases":
			w.WriteHeader(http.StatusUnprocessableEntity)
			_, _ = io.WriteString(w, `{"code":"unknown_product","detail":"There is no product with the SKU NONE."}`)
		case stored == "":
			stored = string(body)
			panic(http.ErrAbortHandler)
		case stored == string(body):
			w.WriteHeader(http.StatusAccepted)
			_, _ = io.WriteString(w, `{"accepted":0,"duplicates":2,"rejected":0,"errors":[]}`)
		}
	}))
}

// The answer to the first attempt is lost, after the events were stored. The second attempt carries the same ids, so they
// are duplicates and count once.
func ExampleClient_CreateEventsBulk() {
	server := platform()
	defer server.Close()
	c, err := client.New(server.URL, client.WithAPIKey("hpa_Zk3v"))
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := c.CreateEventsBulk(context.Background(), client.EventBulkRequest{Events: []client.EventInput{
		{Type: "view", SKU: "SHOE-TRAIL-42", UserID: "customer-17"},
		{Type: "add_to_cart", SKU: "SHOE-TRAIL-42", UserID: "customer-17", Properties: map[string]any{"size": 42}},
	}}, nil, client.Compressed(client.Zstd))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Accepted, "accepted,", result.Duplicates, "duplicates,", result.Rejected, "rejected")
	// Output: 0 accepted, 2 duplicates, 0 rejected
}

func ExampleClient_TopProducts() {
	server := platform()
	defer server.Close()
	c, err := client.New(server.URL, client.WithAPIKey("hpa_Zk3v"))
	if err != nil {
		fmt.Println(err)
		return
	}
	now := time.Now()
	top, err := c.TopProducts(context.Background(), &client.TopProductsParams{
		Metric: client.MetricViews, From: client.Day(now.AddDate(0, 0, -7)), To: client.Day(now), Limit: 10,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, place := range top.Items {
		fmt.Println(place.Rank, place.Product.SKU, place.Value)
	}
	// Output: 1 SHOE-TRAIL-42 1402
}

func ExampleError() {
	server := platform()
	defer server.Close()
	c, err := client.New(server.URL, client.WithAPIKey("hpa_Zk3v"))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = c.CreatePurchase(context.Background(), client.PurchaseRequest{SKU: "NONE", Quantity: 1, UserID: "customer-17"}, nil)
	if problem, ok := errors.AsType[*client.Error](err); ok {
		fmt.Println(problem.Status, problem.Code, problem.Detail)
	}
	// Output: 422 unknown_product There is no product with the SKU NONE.
}

// A program that manages the catalog logs in with an account. The client renews the access token.
func ExampleWithLogin() {
	c, err := client.New("https://analytics.example.com",
		client.WithLogin("admin@example.com", "correct horse battery"),
		client.WithUserAgent("catalog-sync/1.4"),
		client.WithRetryPolicy(client.RetryPolicy{MaxElapsed: 5 * time.Minute}),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.CloseIdleConnections()
}
