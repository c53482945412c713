package servers

import (
	"log/slog"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
)

func TestMain(m *testing.M) {
	platformtest.Main(m, dbtest.Stop, redistest.Stop)
}

// gathered returns the values of metrics without labels, and how many measurements failed by server.
func gathered(t *testing.T, registry *prometheus.Registry) (values, failed map[string]float64) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values, failed = map[string]float64{}, map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if len(m.GetLabel()) > 0 {
				failed[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
				continue
			}
			values[family.GetName()] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return values, failed
}

// TestMonitor checks that each number of both servers is there for the role of the aggregator, follows what happens, and is gone when
// the server is.
func TestMonitor(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t).Pool("hp_aggregator")
	client := redistest.Client(t, redistest.New(t))
	registry := prometheus.NewRegistry()
	m := New(Postgres{Pool: pool}, Redis{Client: client}, slog.New(slog.DiscardHandler), registry)
	if values, _ := gathered(t, registry); len(values) > 0 {
		t.Errorf("before the first measurement: %v", values)
	}
	m.measure(t.Context())
	before, failed := gathered(t, registry)
	if len(before) != len(postgresMetrics)+len(redisMetrics) || failed["postgres"]+failed["redis"] > 0 {
		t.Errorf("%d metrics, failed %v", len(before), failed)
	}
	for _, name := range []string{"hpa_postgres_server_database_bytes", "hpa_postgres_server_connections", "hpa_postgres_server_wal_bytes_total", "hpa_redis_server_memory_bytes", "hpa_redis_server_clients"} {
		if before[name] <= 0 {
			t.Errorf("%s is %v", name, before[name])
		}
	}

	for range 10 {
		client.Get(t.Context(), "nothing")
	}
	m.measure(t.Context())
	after, _ := gathered(t, registry)
	if n := after["hpa_redis_server_keyspace_misses_total"] - before["hpa_redis_server_keyspace_misses_total"]; n < 10 {
		t.Errorf("10 keys were missed, and %v are counted", n)
	}

	pool.Close()
	m.measure(t.Context())
	values, failed := gathered(t, registry)
	if len(values) != len(redisMetrics) || failed["postgres"] != 1 || failed["redis"] != 0 {
		t.Errorf("without Postgres %d metrics, failed %v", len(values), failed)
	}
}
