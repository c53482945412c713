package catalog_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
)

// BenchmarkReads measures reads that the caches answer, end to end.
func BenchmarkReads(b *testing.B) {
	s := newShop(b)
	routes := s.serve()
	admin := s.client(routes)
	var shoe item
	for i := range 20 {
		shoe = admin.create(fmt.Sprintf("SHOE-%d", i), `"description":"Light shoe for rough ground."`, `"attributes":{"color":"green","size":42}`)
	}
	read := func(name, path string, status int, headers ...string) platformtest.Read {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		return platformtest.Read{Name: name, Handler: routes, Request: r, Status: status}
	}
	platformtest.MeasureReads(b,
		read("product", shoe.path(), http.StatusOK),
		read("product-by-user", shoe.path(), http.StatusOK, "Authorization", "Bearer "+admin.token),
		read("product-304", shoe.path(), http.StatusNotModified, "If-None-Match", `"1"`),
		read("list", "/products", http.StatusOK),
		read("health", "/health", http.StatusOK),
	)
}
