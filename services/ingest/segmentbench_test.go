package ingest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn/authntest"
	"github.com/hp-analytics/hp-analytics/internal/platform/config"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/ingest"
)

// BenchmarkSegmentBatch sends a hundred events as a batch of Segment and as a bulk request, by turns, and compares the CPU that this process
// needs for them: ratio is the first divided by the second. Postgres does the same for both, and is not part of it.
func BenchmarkSegmentBatch(b *testing.B) {
	routes, key := quietService(b)
	const events = 100
	at := time.Now().UTC().Add(-time.Hour).Format(time.RFC3339Nano)
	list := func(format string, i int) string {
		items := make([]string, events)
		for n := range items {
			items[n] = fmt.Sprintf(format, i, n, at, n%50)
		}
		return strings.Join(items, ",")
	}
	const (
		properties = `"properties":{"plan":"pro","seconds":17,"url":"https://shop.example/shoe"}`
		message    = `{"type":"track","messageId":"node-%d-%d","timestamp":%q,"userId":"customer-%d","event":"Song Played",` + properties + `}`
		bulkEvent  = `{"id":"bulk-%d-%d","ts":%q,"user_id":"customer-%d","type":"Song Played",` + properties + `}`
	)
	send := func(path, body string, status int) time.Duration {
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+key)
		w := httptest.NewRecorder()
		before := usedCPU(b)
		routes.ServeHTTP(w, r)
		used := usedCPU(b) - before
		if w.Code != status {
			b.Fatalf("%s: %d %s", path, w.Code, w.Body)
		}
		return used
	}
	var segment, bulk time.Duration
	i := 0
	for b.Loop() {
		segment += send("/segment/v1/batch", `{"batch":[`+list(message, i)+`]}`, http.StatusOK)
		bulk += send("/events/bulk", `{"events":[`+list(bulkEvent, i)+`]}`, http.StatusAccepted)
		i++
	}
	b.ReportMetric(float64(segment.Microseconds())/float64(i), "µs-CPU/segment")
	b.ReportMetric(float64(bulk.Microseconds())/float64(i), "µs-CPU/bulk")
	b.ReportMetric(float64(segment)/float64(bulk), "ratio")
}

// quietService returns the routes of a service that logs no requests and has no quotas, and an API key.
func quietService(b *testing.B) (routes http.Handler, key string) {
	b.Helper()
	database, auth := dbtest.New(b), authntest.New(b)
	owner := database.Pool("")
	auth.Use(owner)
	key = authn.NewKey()
	const insert = `INSERT INTO auth.api_keys (id, project, name, key_hash, prefix, scopes) VALUES ($1, 1, 'bench', $2, 'hpa_test', '{ingest}')`
	if _, err := owner.Exec(b.Context(), insert, uuid.New(), authn.HashKey(key)); err != nil {
		b.Fatal(err)
	}
	var cfg ingest.Config
	if err := config.Load(b.Context(), &cfg, config.Environ([]string{
		"DATABASE_URL=postgres://localhost/x", "REDIS_URL=redis://localhost/0", "JWKS_URL=" + auth.JWKSURL(), "HTTP_ACCESS_LOG=none", "INGEST_RATE_LIMIT=0",
	}, "")); err != nil {
		b.Fatal(err)
	}
	cfg.Postgres, cfg.Redis = database.Config(), redistest.New(b)
	svc, err := ingest.New(context.WithoutCancel(b.Context()), cfg, platformtest.Deps(b))
	if err != nil {
		b.Fatal(err)
	}
	platformtest.Run(b, svc)
	routes = svc.Routes()
	platformtest.Eventually(b, time.Minute, "the service is ready", func() bool {
		w := httptest.NewRecorder()
		routes.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/ready", nil))
		return w.Code == http.StatusOK
	})
	return routes, key
}

// usedCPU returns the CPU time of this process.
func usedCPU(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
