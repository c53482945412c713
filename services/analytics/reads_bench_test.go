package analytics_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
)

// BenchmarkReads measures reports that the caches answer, end to end: thirty days, ten products of twenty.
func BenchmarkReads(b *testing.B) {
	f := newFixture(b)
	var series string
	for n := 1; n <= 20; n++ {
		id := f.product(n)
		series = "/analytics/products/" + id.String() + "/timeseries?from=2026-01-01&to=2026-01-30"
		for day := 1; day <= 30; day++ {
			f.count(id, fmt.Sprintf("2026-01-%02d", day), 0, 100+n, day%3, 1, 9)
		}
	}
	key, token := f.apiKey("r", "read"), f.auth.Token(authn.Analyst, uuid.NewString())
	read := func(name, path, credential string, headers ...string) platformtest.Read {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		if credential != "" {
			r.Header.Set("Authorization", "Bearer "+credential)
		}
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		return platformtest.Read{Name: name, Handler: f.routes, Request: r, Status: http.StatusOK}
	}
	const days = "from=2026-01-01&to=2026-01-30"
	platformtest.MeasureReads(b,
		read("top", "/analytics/products/top?"+days, key),
		read("top-today", "/analytics/products/top", key),
		read("top-by-user", "/analytics/products/top?"+days, token),
		read("top-gzip", "/analytics/products/top?"+days, key, "Accept-Encoding", "gzip"),
		read("series", series, key),
		read("summary", "/analytics/users/u/summary?"+days, key),
		read("overview", "/analytics/overview?"+days, key),
		read("health", "/health", ""),
	)
}
