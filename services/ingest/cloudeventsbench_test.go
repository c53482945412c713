package ingest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// BenchmarkCloudEventsBatch sends a hundred events as a batch of CloudEvents and as a bulk request, by turns, as BenchmarkSegmentBatch does.
func BenchmarkCloudEventsBatch(b *testing.B) {
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
		data       = `{"plan":"pro","seconds":17,"url":"https://shop.example/shoe"}`
		cloud      = `{"specversion":"1.0","id":"cloud-%d-%d","source":"/shop","time":%q,"userid":"customer-%d","type":"Song Played","data":` + data + `}`
		bulkEvent  = `{"id":"bulk-%d-%d","ts":%q,"user_id":"customer-%d","type":"Song Played","properties":` + data + `}`
		cloudBatch = "application/cloudevents-batch+json"
	)
	send := func(path, contentType, body string) time.Duration {
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		r.Header.Set("Authorization", "Bearer "+key)
		w := httptest.NewRecorder()
		before := usedCPU(b)
		routes.ServeHTTP(w, r)
		used := usedCPU(b) - before
		if w.Code != http.StatusAccepted || w.Header().Get("Events-Accepted") != "100" {
			b.Fatalf("%s: %d %s", path, w.Code, w.Body)
		}
		return used
	}
	var batch, bulk time.Duration
	i := 0
	for b.Loop() {
		batch += send("/cloudevents", cloudBatch, `[`+list(cloud, i)+`]`)
		bulk += send("/events/bulk", "application/json", `{"events":[`+list(bulkEvent, i)+`]}`)
		i++
	}
	b.ReportMetric(float64(batch.Microseconds())/float64(i), "µs-CPU/cloudevents")
	b.ReportMetric(float64(bulk.Microseconds())/float64(i), "µs-CPU/bulk")
	b.ReportMetric(float64(batch)/float64(bulk), "ratio")
}
