package api_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/yesterday"
)

// TestTotalsOfYesterday exports two projects whose yesterdays are different days at the same instant.
func TestTotalsOfYesterday(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	kiritimati, honolulu := w.project("kiritimati", "Pacific/Kiritimati", "EUR"), w.project("honolulu", "Pacific/Honolulu", "EUR")
	w.now = kiritimati.at("2026-03-06 09:00") // nine in the morning of the 5th in Honolulu
	for day := 3; day <= 6; day++ {
		at := fmt.Sprintf("2026-03-0%d 01:00", day)
		kiritimati.event("a", "view", "", kiritimati.at(at), day)
		honolulu.event("a", "view", "", honolulu.at(at), 10*day)
	}
	kiritimati.order("b", "sku", "EUR", 2, 1000, kiritimati.at("2026-03-05 12:00"))
	kiritimati.order("b", "sku", "JPY", 1, 500, kiritimati.at("2026-03-05 12:00"))
	kiritimati.refund("b", "sku", "EUR", 1, 300, kiritimati.at("2026-03-05 13:00"))

	registry := prometheus.NewRegistry()
	totals := yesterday.New(w.server.Reports, func() time.Time { return w.now }, platformtest.Logger(t), registry)
	if n, err := testutil.GatherAndCount(registry); n != 0 || err != nil {
		t.Errorf("%d metrics before anything was read, %v", n, err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { totals.Run(ctx) })
	platformtest.Eventually(t, time.Minute, "the totals are read", func() bool {
		n, err := testutil.GatherAndCount(registry)
		return n > 0 && err == nil
	})
	stop()
	running.Wait()
	const want = `
# HELP hpa_analytics_yesterday_events Events of the day before today in the time zone of the project. These totals are there with ANALYTICS_EXPORT_YESTERDAY only, and every replica has the same.
# TYPE hpa_analytics_yesterday_events gauge
hpa_analytics_yesterday_events{project="default"} 0
hpa_analytics_yesterday_events{project="honolulu"} 40
hpa_analytics_yesterday_events{project="kiritimati"} 5
# HELP hpa_analytics_yesterday_net_revenue_minor What was earned on that day in a currency, less what was paid back, in minor units of the currency.
# TYPE hpa_analytics_yesterday_net_revenue_minor gauge
hpa_analytics_yesterday_net_revenue_minor{currency="EUR",project="kiritimati"} 700
hpa_analytics_yesterday_net_revenue_minor{currency="JPY",project="kiritimati"} 500
# HELP hpa_analytics_yesterday_orders Orders of that day, refunded ones included.
# TYPE hpa_analytics_yesterday_orders gauge
hpa_analytics_yesterday_orders{project="default"} 0
hpa_analytics_yesterday_orders{project="honolulu"} 0
hpa_analytics_yesterday_orders{project="kiritimati"} 2
# HELP hpa_analytics_yesterday_users Distinct users with an event or an order on that day.
# TYPE hpa_analytics_yesterday_users gauge
hpa_analytics_yesterday_users{project="default"} 0
hpa_analytics_yesterday_users{project="honolulu"} 1
hpa_analytics_yesterday_users{project="kiritimati"} 2
`
	names := []string{"events", "orders", "users", "net_revenue_minor"}
	for i := range names {
		names[i] = "hpa_analytics_yesterday_" + names[i]
	}
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
}
