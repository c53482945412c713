package postgres

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// newBenchStore returns a store with one connection, as the service configures it, and a meter of its CPU time.
func newBenchStore(b *testing.B) (*Store, cpuMeter) {
	b.Helper()
	database := dbtest.New(b)
	if _, err := database.Pool("").Exec(b.Context(), `SELECT ingest.ensure_partitions(current_date - 1, current_date)`); err != nil {
		b.Fatal(err)
	}
	addProducts(b, database)
	cfg := database.Config()
	cfg.MaxConns, cfg.ConnectTimeout = 1, time.Minute
	pool, err := postgres.Open(b.Context(), cfg, "hp_ingest", "bench", nil,
		postgres.Setting{Name: "synchronous_commit", Value: "on"}, postgres.Setting{Name: "plan_cache_mode", Value: "force_generic_plan"},
		postgres.Setting{Name: "enable_seqscan", Value: "off"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	var backend int
	if err := pool.QueryRow(b.Context(), `SELECT pg_backend_pid()`).Scan(&backend); err != nil {
		b.Fatal(err)
	}
	return New(pool, prometheus.NewRegistry()), cpuMeter{b, backend}
}

// cpuMeter reads the CPU time of this process and of the Postgres backend of its one connection. Unlike the wall clock it
// hardly depends on what else the machine does.
type cpuMeter struct {
	b       *testing.B
	backend int
}

func (m cpuMeter) read() (ours, backend time.Duration) {
	m.b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		m.b.Fatal(err)
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", m.backend)) // nanoseconds on a CPU, and two more numbers
	if err != nil {
		m.b.Skip("needs Linux: ", err)
	}
	ns, err := strconv.ParseInt(strings.Fields(string(stat))[0], 10, 64)
	if err != nil {
		m.b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), time.Duration(ns)
}

// measure runs write with new input b.N times, and reports the CPU time per row.
func measure[R any](m cpuMeter, rows int, input func() []R, write func([]R) error) {
	b := m.b
	var ours, backend time.Duration
	for b.Loop() {
		rows := input()
		oursBefore, backendBefore := m.read()
		if err := write(rows); err != nil {
			b.Fatal(err)
		}
		oursAfter, backendAfter := m.read()
		ours, backend = ours+oursAfter-oursBefore, backend+backendAfter-backendBefore
	}
	perRow := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 / float64(b.N*rows) }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(perRow(ours), "ingest-µs/row")
	b.ReportMetric(perRow(backend), "postgres-µs/row")
	b.ReportMetric(perRow(ours+backend), "cpu-µs/row")
}

// BenchmarkStorePurchases compares the ways to store purchases.
func BenchmarkStorePurchases(b *testing.B) {
	orders := func(n int, keyed bool) func() []event.Order {
		return func() []event.Order {
			all := make([]event.Order, n)
			for i := range all {
				key := ""
				if keyed {
					key = event.NewID().String()
				}
				all[i] = order(key)
			}
			return all
		}
	}
	insert := func(b *testing.B, s *Store, orders []event.Order, way func(context.Context, uuid.UUID, orderColumns) error) error {
		b.Helper()
		open := make([]int, len(orders))
		for i := range open {
			open[i] = i
		}
		return way(b.Context(), event.NewID(), newOrderColumns(orders, open))
	}
	unchecked := func(b *testing.B, s *Store, orders []event.Order) error {
		b.Helper()
		return insert(b, s, orders, func(ctx context.Context, batch uuid.UUID, c orderColumns) error {
			_, err := s.insertNewPurchases(ctx, batch, c)
			return err
		})
	}
	checked := func(b *testing.B, s *Store, orders []event.Order) error {
		b.Helper()
		return insert(b, s, orders, func(ctx context.Context, batch uuid.UUID, c orderColumns) error {
			_, err := s.insertCheckedPurchases(ctx, batch, c)
			return err
		})
	}
	whole := func(b *testing.B, s *Store, orders []event.Order) error {
		b.Helper()
		_, err := s.StorePurchases(b.Context(), event.NewID(), orders)
		return err
	}
	for _, n := range []int{1, 16, 250, 1000} {
		for _, way := range []struct {
			name  string
			keyed bool
			run   func(*testing.B, *Store, []event.Order) error
		}{
			{"keyless/unchecked", false, unchecked},
			{"keyless/checked", false, checked},
			{"keyless/store", false, whole},
			{"keyed/checked", true, checked},
			{"keyed/store", true, whole},
		} {
			b.Run(strconv.Itoa(n)+"/"+way.name, func(b *testing.B) {
				store, meter := newBenchStore(b)
				measure(meter, n, orders(n, way.keyed), func(orders []event.Order) error { return way.run(b, store, orders) })
			})
		}
		for name, key := range map[string]bool{"keyless/replay": false, "keyed/replay": true} {
			b.Run(strconv.Itoa(n)+"/"+name, func(b *testing.B) {
				store, meter := newBenchStore(b)
				known := orders(n, key)()
				if err := whole(b, store, known); err != nil {
					b.Fatal(err)
				}
				measure(meter, n, func() []event.Order { return known }, func(orders []event.Order) error { return whole(b, store, orders) })
			})
		}
	}
}

// BenchmarkStoreEvents compares the ways to store a batch.
func BenchmarkStoreEvents(b *testing.B) {
	for _, n := range []int{1, 32, 100, 250, 500, 1000, 4000} {
		for _, way := range []struct {
			name string
			run  func(*Store, context.Context, []event.Event) error
		}{
			{"insert", func(s *Store, ctx context.Context, events []event.Event) error {
				_, err := s.insertNewEvents(ctx, event.NewID(), inKeyOrder(events))
				return err
			}},
			{"checked", func(s *Store, ctx context.Context, events []event.Event) error {
				_, err := s.insertCheckedEvents(ctx, event.NewID(), events, inKeyOrder(events))
				return err
			}},
		} {
			b.Run(strconv.Itoa(n)+"/"+way.name, func(b *testing.B) {
				store, meter := newBenchStore(b)
				measure(meter, n, func() []event.Event { return someEvents(n) }, func(events []event.Event) error {
					return way.run(store, b.Context(), events)
				})
			})
		}
	}
}
