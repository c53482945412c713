package postgres_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
)

var (
	modelSeed  = flag.Uint64("seed", 0, "run the interleaving of this seed only")
	modelSeeds = flag.Uint64("seeds", 6, "how many interleavings are run")
	modelSteps = flag.Int("steps", 500, "statements of an interleaving")
)

// checkEvery is how many steps lie between two checks.
const checkEvery = 20

// TestInterleavings lets folders and writers take turns statement by statement, in a random order, with statements that
// fail and connections that break, and compares everything that is committed with a model. What a seed does is the same
// every time. To look for longer:
//
//	go test ./services/aggregator/internal/postgres -run TestInterleavings -seeds 100 -steps 5000
func TestInterleavings(t *testing.T) {
	t.Parallel()
	first, n := uint64(1), *modelSeeds
	if *modelSeed > 0 {
		first, n = *modelSeed, 1
	}
	for seed := first; seed < first+n; seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			interleave(t, seed, *modelSteps)
		})
	}
}

func mergeSegments(ctx context.Context, pool *pgxpool.Pool) error {
	_, err := postgres.Store{Pool: pool}.MergeSegments(ctx, 1)
	return err
}

func makeBlocks(ctx context.Context, pool *pgxpool.Pool) error {
	_, err := postgres.Store{Pool: pool}.BlockSegments(ctx, firstDay.AddDate(0, 1, 0))
	return err
}

func interleave(t *testing.T, seed uint64, steps int) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("again: go test ./services/aggregator/internal/postgres -run TestInterleavings -seed %d -steps %d", seed, steps)
		}
	}()
	database := dbtest.New(t)
	random := rand.New(rand.NewPCG(seed, 0))
	s := &scheduler{t: t, random: random, admin: database.Pool(""), orders: map[order]int{}}
	s.exec(`SELECT ingest.ensure_partitions($1::date, $1::date + 2)`, firstDay)
	s.exec(`INSERT INTO auth.projects (slug, name, time_zone) VALUES ('second', 'Second', 'Asia/Kolkata')`)
	s.exec(`
		INSERT INTO catalog.products (n, id, project, sku, name, price_minor, currency) OVERRIDING SYSTEM VALUE
		SELECT n, gen_random_uuid(), 1, n, n, 100, 'EUR' FROM generate_series(1, 3) AS n`)
	kolkata, err := localtime.Load("Asia/Kolkata")
	if err != nil {
		t.Fatal(err)
	}
	clients := &client{random: random, projects: []int16{1, 2}, sent: map[string][]row{}}
	m := newModel(t, map[int16]*time.Location{1: time.UTC, 2: kolkata})
	for i := range 4 {
		w := newWorker(t, database, fmt.Sprintf("folder %d", i), "hp_aggregator")
		w.folds = true
		s.workers = append(s.workers, w)
	}
	for i := range 3 {
		s.workers = append(s.workers, newWorker(t, database, fmt.Sprintf("writer %d", i), "hp_ingest"))
	}
	const lanes, budget = 3, 30 // one lane less than folders
	s.job = func(w *worker) {
		if w.folds && random.IntN(4) == 0 {
			job := []func(context.Context, *pgxpool.Pool) error{mergeSegments, makeBlocks}[random.IntN(2)]
			w.start(job, func(err error) { m.mustBeFaulted(err, w) })
			return
		}
		if w.folds {
			var done postgres.Folded
			w.start(func(ctx context.Context, pool *pgxpool.Pool) (err error) {
				done, err = postgres.Store{Pool: pool, Lanes: lanes, Rows: budget}.Fold(ctx)
				return err
			}, func(err error) { m.fold(done, err, w) })
			return
		}
		batch := clients.batch()
		m.begin(batch)
		w.start(func(ctx context.Context, pool *pgxpool.Pool) error { return batch.run(ctx, pool) },
			func(err error) { m.end(batch, err, w) })
	}
	snapshot := func() tables {
		return readTables(t, func() (pgx.Tx, error) {
			return s.admin.BeginTx(t.Context(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
		})
	}
	for n := range steps {
		s.step()
		if n%checkEvery == 0 {
			m.check(snapshot())
		}
	}
	s.settle()
	m.check(snapshot())
	before := m.batches
	pool := database.Pool("hp_aggregator")
	mergeAll := func() {
		for _, job := range []func(context.Context, *pgxpool.Pool) error{mergeSegments, makeBlocks} {
			if err := job(t.Context(), pool); err != nil {
				t.Fatal(err)
			}
			m.check(snapshot())
		}
	}
	mergeAll()
	for {
		done, err := postgres.Store{Pool: pool, Lanes: lanes, Rows: budget}.Fold(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		m.batches += done.Batches
		if done.Batches == 0 {
			break
		}
	}
	mergeAll() // what was folded since belongs to blocks
	got := snapshot()
	m.check(got)
	for id, r := range got.receipts {
		if r.aggregated == nil {
			t.Errorf("batch %d pends, though nothing is left to fold", id)
		}
	}
	blocks := 0
	if err := s.admin.QueryRow(t.Context(), `SELECT count(*) FROM stats.product_segments WHERE days > 1`).Scan(&blocks); err != nil {
		t.Fatal(err)
	}
	if blocks == 0 || len(got.segments) == 0 {
		t.Errorf("%d blocks of segments, %d products in segments: the test does not test", blocks, len(got.segments))
	}
	if before == 0 || len(m.folded) < steps/50 {
		t.Errorf("%d batches aggregated, %d of them interleaved: the test does not test", len(m.folded), before)
	}
	t.Logf("%d rows in %d batches, %d folded interleaved; writers waited %d times; %v", len(got.rows), len(got.receipts), before, s.waits, s.orders)
}
