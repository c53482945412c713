package api

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/hp-analytics/hp-analytics/internal/openapi"
	"github.com/hp-analytics/hp-analytics/internal/stats"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/report"
)

// Every counter must be in the contract: as a field of each type with counts, and as a metric.
func TestEveryCounterIsInTheContract(t *testing.T) {
	t.Parallel()
	counts := report.Counts{Revenue: report.Revenue{{Currency: "EUR", Money: stats.Money{GrossMinor: 9, RefundedMinor: 11}}}}
	for i := range counts.Counts {
		counts.Counts[i] = int64(i + 1)
	}
	checkCounts[Counts](t, counts)
	checkCounts[SeriesPoint](t, counts)
	checkCounts[UserDay](t, counts)
	checkCounts[ProductTotals](t, counts)
	contract, err := openapi3.NewLoader().LoadFromData([]byte(openapi.Source()))
	if err != nil {
		t.Fatal(err)
	}
	metrics := contract.Components.Schemas["Metric"].Value.Enum
	wanted := append(stats.Columns(), string(report.UniqueUsers), string(report.Gross), string(report.Refunded), string(report.Net))
	for _, metric := range wanted {
		if !slices.Contains(metrics, any(metric)) {
			t.Errorf("the metrics of the contract are %v, without %s", metrics, metric)
		}
	}
	if len(metrics) != len(wanted) {
		t.Errorf("the metrics of the contract are %v, more than there are counters", metrics)
	}
}

func checkCounts[T withCounts](t *testing.T, counts report.Counts) {
	t.Helper()
	var value T
	for i, field := range findCountFields[T]().counters {
		if field < 0 {
			t.Errorf("%T has no field %s", value, stats.Counter(i).Column())
			return
		}
	}
	setCounts(&value, counts)
	body, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var shown map[string]any
	if err := json.Unmarshal(body, &shown); err != nil {
		t.Fatal(err)
	}
	for i, column := range stats.Columns() {
		if shown[column] != float64(i+1) {
			t.Errorf("%T shows %v as %s, want %d", value, shown[column], column, i+1)
		}
	}
	revenue, ok := shown["revenue"].([]any)
	if !ok || len(revenue) != 1 || revenue[0].(map[string]any)["net_minor"] != float64(-2) {
		t.Errorf("%T shows the revenue %v", value, shown["revenue"])
	}
}
