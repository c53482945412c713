package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/dictionary"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// BenchmarkSchemas stores the same events in the schema and in the one before it, by turns, and reports bytes, WAL and CPU time for
// each row. One iteration is enough: go test -run - -bench Schemas -benchtime 1x.
func BenchmarkSchemas(b *testing.B) {
	for _, size := range []struct{ flush, turn, rows int }{{1, 50, 4000}, {1000, 1, 60_000}, {4000, 1, 60_000}} {
		b.Run(strconv.Itoa(size.flush), func(b *testing.B) {
			w := newBenchmark(b)
			before, after := side{name: "old", table: "old.events_today"}, side{name: "new", table: w.partition()}
			for b.Loop() {
				for range size.rows / size.flush / size.turn {
					flushes := make([][]event.Event, size.turn)
					for i := range flushes {
						flushes[i] = w.events(size.flush)
					}
					w.measureAll(&before, flushes, func(events []event.Event) error { return w.old.store(b.Context(), events) })
					w.measureAll(&after, flushes, w.storeNew)
				}
			}
			w.report(before, after)
		})
	}
}

// BenchmarkStoreEvents compares the two ways to store a flush.
func BenchmarkStoreEvents(b *testing.B) {
	for _, n := range []int{1, 32, 250, 1000, 4000} {
		for name, checked := range map[string]bool{"insert": false, "checked": true} {
			b.Run(strconv.Itoa(n)+"/"+name, func(b *testing.B) {
				w := newBenchmark(b)
				s := side{name: "events", table: w.partition()}
				for b.Loop() {
					events := w.events(n)
					if checked {
						w.store.events.conflicted()
					}
					w.measure(&s, n, func() error { return w.storeNew(events) })
				}
				w.report(s)
			})
		}
	}
}

// side is what has been measured of one way to store events.
type side struct {
	name, table    string
	rows           int
	wal            int64
	ours, postgres time.Duration
}

// benchmark is a database with a store, as the service configures it, that has one connection, so that its backend is known.
type benchmark struct {
	*testing.B

	pool  *pgxpool.Pool // of the store
	admin *pgxpool.Pool
	store *Store
	names *dictionary.Cache
	old   oldStore
	stat  *os.File // of the backend of the store
	next  int
	begin time.Time
}

// benchUsers is how many users the events are of.
const benchUsers = 10_000

func newBenchmark(b *testing.B) *benchmark {
	b.Helper()
	database := dbtest.New(b)
	addProducts(b, database)
	w := &benchmark{B: b, admin: database.Pool(""), begin: time.Now().UTC().Truncate(day)}
	w.exec(`SELECT ingest.ensure_partitions(current_date, current_date)`)
	w.exec(oldSchema)
	cfg := database.Config()
	cfg.MaxConns, cfg.ConnectTimeout = 1, time.Minute
	var err error
	w.pool, err = postgres.Open(b.Context(), cfg, "hp_ingest", "bench", nil,
		postgres.Setting{Name: "synchronous_commit", Value: "on"}, postgres.Setting{Name: "plan_cache_mode", Value: "force_generic_plan"},
		postgres.Setting{Name: "enable_seqscan", Value: "off"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(w.pool.Close)
	w.openStat()
	w.store = New(w.pool, prometheus.NewRegistry())
	w.old.Store = w.store
	w.names = dictionary.New(w.store, prometheus.NewRegistry())
	b.Cleanup(w.names.Close)
	// All users and names are known, and so are the plans of the statements.
	for range benchUsers / 1000 {
		events := w.events(1000)
		if err := w.old.store(b.Context(), events); err != nil {
			b.Fatal(err)
		}
		if err := w.storeNew(events); err != nil {
			b.Fatal(err)
		}
	}
	w.exec(`TRUNCATE old.events_today, old.batches, ingest.events, ingest.batches`)
	return w
}

// openStat opens the statistics of the backend of the store.
func (w *benchmark) openStat() {
	w.Helper()
	var backend int
	err := w.pool.QueryRow(w.Context(), `SELECT pg_backend_pid()`).Scan(&backend)
	if err != nil {
		w.Fatal(err)
	}
	if w.stat, err = os.Open(fmt.Sprintf("/proc/%d/schedstat", backend)); err != nil {
		w.Skip("needs Linux: ", err)
	}
	w.Cleanup(func() { _ = w.stat.Close() })
}

func (w *benchmark) exec(sql string) {
	w.Helper()
	if _, err := w.admin.Exec(w.Context(), sql); err != nil {
		w.Fatal(err)
	}
}

func (w *benchmark) partition() (name string) {
	w.Helper()
	if err := w.admin.QueryRow(w.Context(), `SELECT 'ingest.' || ingest.partition_of($1)`, w.begin).Scan(&name); err != nil {
		w.Fatal(err)
	}
	return name
}

// events returns n events as clients send them, in the order of time.
func (w *benchmark) events(n int) []event.Event {
	events := make([]event.Event, n)
	for i := range events {
		w.next++
		product := w.next * 7 % len(someProducts)
		events[i] = event.Event{
			Fact: event.Fact{
				Project: 1, ID: event.NewID(), TS: w.begin.Add(time.Duration(w.next) * 300 * time.Microsecond),
				Product: int32(product + 1), ProductID: someProducts[product], SKU: "P-" + strconv.Itoa(product),
				UserID: "customer-" + strconv.Itoa(10_000+w.next*7919%benchUsers),
			},
			Type:       []string{"view", "view", "click", "add_to_cart"}[w.next%4],
			Properties: fmt.Appendf(nil, `{"page":"/p/%d","ref":"search","device":"mobile","session":"s%06d"}`, product, w.next*104729%1_000_000),
		}
	}
	return events
}

// storeNew does what a recorder and the committer do.
func (w *benchmark) storeNew(events []event.Event) error {
	refs, names := make([]event.UserRef, len(events)), make([]string, len(events))
	for i := range events {
		refs[i].UserID, names[i] = events[i].UserID, events[i].Type
	}
	users, err := w.names.Users(w.Context(), 1, refs)
	if err != nil {
		return err
	}
	numbers, err := w.names.Names(w.Context(), 1, "key:1", names)
	if err != nil {
		return err
	}
	for i := range events {
		events[i].User, events[i].Name = users[i].N, numbers[i]
	}
	stored, err := w.store.StoreEvents(w.Context(), events)
	if err == nil && len(stored.Statuses) != len(events) {
		err = fmt.Errorf("%d of %d events are stored", len(stored.Statuses), len(events))
	}
	return err
}

// measure adds what write costs to a side.
func (w *benchmark) measure(s *side, rows int, write func() error) {
	w.Helper()
	wal := w.wal()
	ours, backend := w.cpu()
	if err := write(); err != nil {
		w.Fatal(err)
	}
	oursAfter, backendAfter := w.cpu()
	s.rows, s.wal = s.rows+rows, s.wal+w.wal()-wal
	s.ours, s.postgres = s.ours+oursAfter-ours, s.postgres+backendAfter-backend
}

// measureAll adds what writing some flushes costs to a side. The CPU time of a backend that still runs is not known exactly, so
// small flushes are measured together.
func (w *benchmark) measureAll(s *side, flushes [][]event.Event, write func([]event.Event) error) {
	w.Helper()
	w.measure(s, len(flushes)*len(flushes[0]), func() error {
		for _, events := range flushes {
			if err := write(events); err != nil {
				return err
			}
		}
		return nil
	})
}

func (w *benchmark) wal() (position int64) {
	w.Helper()
	if err := w.admin.QueryRow(w.Context(), `SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn`).Scan(&position); err != nil {
		w.Fatal(err)
	}
	return position
}

// cpu reads the CPU time of this process and of the backend of the store. Unlike the wall clock it hardly depends on what else the
// machine does.
func (w *benchmark) cpu() (ours, backend time.Duration) {
	w.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		w.Fatal(err)
	}
	var stat [100]byte // nanoseconds on a CPU, and two more numbers
	n, err := w.stat.ReadAt(stat[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		w.Fatal(err)
	}
	ns, err := strconv.ParseInt(strings.Fields(string(stat[:n]))[0], 10, 64)
	if err != nil {
		w.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), time.Duration(ns)
}

// report reports each side, and the second one as a part of the first one.
func (w *benchmark) report(sides ...side) {
	w.Helper()
	w.ReportMetric(0, "ns/op")
	var first map[string]float64
	for i, s := range sides {
		var bytes int64
		if err := w.admin.QueryRow(w.Context(), `SELECT pg_total_relation_size($1::regclass)`, s.table).Scan(&bytes); err != nil {
			w.Fatal(err)
		}
		perRow := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 / float64(s.rows) }
		got := map[string]float64{
			"B/row": float64(bytes) / float64(s.rows), "WAL-B/row": float64(s.wal) / float64(s.rows),
			"ingest-µs/row": perRow(s.ours), "postgres-µs/row": perRow(s.postgres), "cpu-µs/row": perRow(s.ours + s.postgres),
		}
		for unit, value := range got {
			w.ReportMetric(value, s.name+"-"+unit)
			if i > 0 {
				w.ReportMetric(value/first[unit], "ratio-"+unit)
			}
		}
		if i == 0 {
			first = got
		}
	}
}

// oldSchema is what this benchmark needs of the schema before the numbers, with a partition of events. Checks and indexes count.
const oldSchema = `
	CREATE SCHEMA old;
	CREATE TABLE old.events_today (
		owner       bigint NOT NULL,
		ts          timestamptz NOT NULL,
		received_at timestamptz NOT NULL DEFAULT now(),
		id          uuid NOT NULL,
		product_id  uuid NOT NULL,
		batch_id    uuid NOT NULL,
		user_id     text COLLATE "C" NOT NULL,
		type        text COLLATE "C" NOT NULL,
		properties  jsonb,
		PRIMARY KEY (owner, ts, id)
	);
	CREATE TABLE old.events (LIKE old.events_today INCLUDING DEFAULTS) PARTITION BY RANGE (ts);
	ALTER TABLE old.events ATTACH PARTITION old.events_today DEFAULT;
	CREATE INDEX ON old.events_today (product_id, ts);
	CREATE INDEX ON old.events_today (user_id, ts);
	CREATE INDEX ON old.events_today (batch_id);
	CREATE TABLE old.batches (
		id              uuid PRIMARY KEY,
		received_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
		min_ts          timestamptz,
		max_ts          timestamptz,
		aggregated_at   timestamptz,
		failed_at       timestamptz,
		next_attempt_at timestamptz,
		rows            integer NOT NULL CHECK (rows >= 0),
		attempts        integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
		kind            text NOT NULL CHECK (kind IN ('events', 'purchases')),
		failure         text CHECK (octet_length(failure) <= 1000),
		CHECK (rows = 0 OR (min_ts IS NOT NULL AND max_ts IS NOT NULL)),
		CHECK ((failed_at IS NULL) = (next_attempt_at IS NULL) AND (failed_at IS NULL) = (failure IS NULL)),
		CHECK (failed_at IS NULL OR aggregated_at IS NULL)
	) WITH (fillfactor = 70);
	CREATE INDEX ON old.batches (id) INCLUDE (rows, received_at) WHERE aggregated_at IS NULL AND failed_at IS NULL;
	CREATE INDEX ON old.batches (next_attempt_at) INCLUDE (id, rows) WHERE aggregated_at IS NULL AND failed_at IS NOT NULL;
	CREATE INDEX ON old.batches USING brin (received_at) WITH (pages_per_range = 16, autosummarize = on);
	GRANT USAGE ON SCHEMA old TO hp_ingest;
	GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA old TO hp_ingest`

// oldInsert is the statement of a flush before.
const oldInsert = `
	WITH changed AS MATERIALIZED (
		SELECT product_id, sku
		FROM unnest($13::uuid[], $14::text[]) AS sent (product_id, sku)
		WHERE NOT coalesce((
			SELECT p.status = 'active' AND sent.sku IN ('', p.sku)
			FROM catalog.products AS p
			WHERE p.id = sent.product_id
			LIMIT 1), false)
	), stored AS (
		INSERT INTO old.events (owner, ts, id, product_id, user_id, type, properties, batch_id)
		SELECT owner, ts, id, product_id, user_id, type, properties, $1::uuid
		FROM unnest($3::bigint[], $4::timestamptz[], $5::uuid[], $6::uuid[], $7::text[], $8::text[], $9::jsonb[])
			AS sent (owner, ts, id, product_id, user_id, type, properties)
		WHERE NOT EXISTS (SELECT FROM changed)
	), receipt AS (
		INSERT INTO old.batches (id, kind, rows, min_ts, max_ts)
		SELECT $1, $2::text, $10::bigint, $11::timestamptz, $12::timestamptz
		WHERE NOT EXISTS (SELECT FROM changed)
	)
	SELECT array_agg(product_id), array_agg(sku) FROM changed`

// oldStore stores events in the schema before, as ingest did.
type oldStore struct {
	*Store // its pool and metrics

	buffers parameterPool
}

func (s *oldStore) store(ctx context.Context, events []event.Event) error {
	defer s.observe(protocol.KindEvents, len(events), time.Now())
	f := &flush{rows: make([]*event.Event, len(events))}
	for i := range events {
		f.rows[i] = &events[i]
	}
	f.sort()
	sent := s.buffers.Get()
	sent.fillOld(f.rows)
	err := s.pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error {
		statement, err := conn.Conn().Prepare(ctx, "old_insert", oldInsert)
		if err != nil {
			return err
		}
		return conn.Conn().PgConn().ExecPrepared(ctx, statement.Name, sent.values(), []int16{1}, []int16{1}).Read().Err
	})
	s.buffers.Put(sent)
	return err
}

// fillOld replaces the parameters by those of oldInsert.
func (p *parameters) fillOld(rows []*event.Event) {
	batch, n := uuid.Must(uuid.NewV7()), len(rows)
	p.reset()
	p.bytes(batch[:])
	p.bytes([]byte("events"))
	p.array(pgtype.Int8OID, n, func(int) { p.int8Element(4711) })
	p.array(pgtype.TimestamptzOID, n, func(i int) { p.timeElement(rows[i].TS) })
	p.array(pgtype.UUIDOID, n, func(i int) { p.uuidElement(rows[i].ID) })
	p.array(pgtype.UUIDOID, n, func(i int) { p.uuidElement(rows[i].ProductID) })
	p.array(pgtype.TextOID, n, func(i int) { p.textElement(rows[i].UserID) })
	p.array(pgtype.TextOID, n, func(i int) { p.textElement(rows[i].Type) })
	p.array(pgtype.JSONBOID, n, func(i int) {
		const version = "\x01" // of the binary format of jsonb, which is this byte and the text
		p.textElement(version + string(rows[i].Properties))
	})
	for _, value := range []int64{int64(n), rows[0].TS.UnixMicro() - epoch, rows[n-1].TS.UnixMicro() - epoch} {
		p.bytes(binary.BigEndian.AppendUint64(nil, uint64(value)))
	}
	type named struct {
		id  uuid.UUID
		sku string
	}
	var products []named
	seen := map[named]struct{}{}
	for _, e := range rows {
		product := named{e.ProductID, e.SKU}
		if _, again := seen[product]; !again {
			seen[product] = struct{}{}
			products = append(products, product)
		}
	}
	p.array(pgtype.UUIDOID, len(products), func(i int) { p.uuidElement(products[i].id) })
	p.array(pgtype.TextOID, len(products), func(i int) { p.textElement(products[i].sku) })
}
