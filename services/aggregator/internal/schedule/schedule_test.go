package schedule_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/internal/platform/tasks"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/schedule"
)

func TestMain(m *testing.M) { platformtest.Main(m, redistest.Stop, dbtest.Stop) }

var errAway = errors.New("away")

// store reports work and records the arguments of maintenance.
type store struct {
	overdue  int // folds of overdue batches
	young    int // folds of the other pending batches
	from, to time.Time
	before   time.Time
	receipts time.Duration
	keys     time.Duration
	merged   []int // the arguments of the merges
	blocks   time.Time
	times    bool  // were pruned
	fails    error // of each step of maintenance
}

func (s *store) Work(_ context.Context, grace time.Duration) (folds int, err error) {
	if grace == 0 {
		return s.overdue + s.young, nil
	}
	return s.overdue, nil
}

func (s *store) EnsurePartitions(_ context.Context, from, to time.Time) (int, error) {
	s.from, s.to = from, to
	return 0, s.fails
}

func (s *store) DropExpired(_ context.Context, before time.Time) ([]postgres.Partition, error) {
	s.before = before
	return nil, s.fails
}

func (s *store) PruneBatches(_ context.Context, age time.Duration) (int64, error) {
	s.receipts = age
	return 0, s.fails
}

func (s *store) MergeSegments(_ context.Context, least int) (int64, error) {
	s.merged = append(s.merged, least)
	return 0, s.fails
}

func (s *store) BlockSegments(_ context.Context, before time.Time) (int64, error) {
	s.blocks = before
	return 0, s.fails
}

func (s *store) PruneIdempotencyKeys(_ context.Context, age time.Duration) (int64, error) {
	s.keys = age
	return 0, s.fails
}

func (s *store) PruneTimes(context.Context) (int64, error) {
	s.times = true
	return 0, s.fails
}

// queue holds tasks until it is full, and then fails as if Redis were down.
type queue struct {
	tasks int
	room  int
	err   error
}

func (q *queue) Waiting(context.Context) (int, error) { return q.tasks, q.err }

func (q *queue) Clear(context.Context) (n int, err error) {
	n, q.tasks = q.tasks, 0
	return n, q.err
}

func (q *queue) Wake(context.Context) error {
	if q.tasks == q.room {
		return errAway
	}
	q.tasks++
	return nil
}

func newSchedule(t *testing.T, s schedule.Store, q schedule.Queue, fold func(context.Context) (bool, error)) *schedule.Schedule {
	t.Helper()
	return schedule.New(schedule.Options{
		Store: s, Queue: q, Fold: fold, ReceiptLife: 7 * 24 * time.Hour, RawLife: 10 * 24 * time.Hour,
		Now:    func() time.Time { return time.Date(2026, 3, 1, 1, 0, 0, 0, time.FixedZone("", 2*3600)) },
		Logger: platformtest.Logger(t),
	}, prometheus.NewRegistry())
}

// Sweeps run at a fixed interval, however slow the workers are. They must not add to a queue that already matches the work,
// or the autoscaler would see it grow with time.
func TestSweepsDoNotFloodTheQueue(t *testing.T) {
	t.Parallel()
	const most = 1000
	for name, test := range map[string]struct{ overdue, young, waiting, want int }{
		"nothing pends":                 {0, 0, 0, 0},
		"every task was lost":           {5, 0, 0, 5},
		"what is young has its task":    {5, 9, 0, 5},
		"some tasks were lost":          {5, 0, 3, 5},
		"no task was lost":              {5, 0, 5, 5},
		"some tasks more than work":     {5, 0, 9, 9},
		"many tasks more than work":     {5, 0, 26, 5},
		"many tasks for nothing":        {0, 0, 3 * most, 0},
		"many tasks for what is young":  {5, 25, 50, 50},
		"many tasks more than is young": {5, 24, 50, 29},
		"a flood, all lost":             {3 * most, 0, 0, most},
		"a flood, tasks remain":         {3 * most, 0, most, most},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, q := &store{overdue: test.overdue, young: test.young}, &queue{tasks: test.waiting, room: 10 * most}
			work := newSchedule(t, s, q, func(context.Context) (bool, error) {
				t.Error("folded although the queue is available")
				return false, nil
			})
			for range 5 {
				if err := work.Sweep(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if q.tasks != test.want {
				t.Errorf("%d tasks, want %d", q.tasks, test.want)
			}
		})
	}
}

// Without Redis the leader folds until nothing is pending, whether Redis is down from the start or fails during a sweep.
func TestSweepFoldsWithoutRedis(t *testing.T) {
	t.Parallel()
	for name, q := range map[string]*queue{"away": {err: errAway}, "going away": {room: 2}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			left := 4
			work := newSchedule(t, &store{overdue: 4}, q, func(context.Context) (bool, error) {
				left--
				return left > 0, nil
			})
			if err := work.Sweep(t.Context()); err != nil || left != 0 {
				t.Errorf("Sweep = %v, %d folds left", err, left)
			}
		})
	}
	broken := errors.New("no database")
	work := newSchedule(t, &store{overdue: 4}, &queue{err: errAway}, func(context.Context) (bool, error) { return false, broken })
	if err := work.Sweep(t.Context()); !errors.Is(err, broken) {
		t.Errorf("Sweep = %v, want the error of the fold", err)
	}
}

// TestMaintainCreatesPartitionsAheadOfTime checks what the steps are asked to do, also when each of them fails.
func TestMaintainCreatesPartitionsAheadOfTime(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]error{"all goes well": nil, "every step fails": errAway} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &store{fails: fails}
			err := newSchedule(t, s, &queue{}, nil).Maintain(t.Context())
			if !errors.Is(err, fails) {
				t.Errorf("Maintain = %v, want %v", err, fails)
			}
			if fails != nil && strings.Count(err.Error(), errAway.Error()) != 7 {
				t.Errorf("Maintain = %v, want the errors of seven steps", err)
			}
			// In UTC, which defines the days, it is 23:00 on the last of February.
			got := []string{s.from.Format(time.DateOnly), s.to.Format(time.DateOnly), s.before.Format(time.RFC3339), s.receipts.String(), s.keys.String()}
			if diff := cmp.Diff([]string{"2026-02-27", "2026-03-03", "2026-02-17T00:00:00Z", "168h0m0s", "24h0m0s"}, got); diff != "" {
				t.Errorf("first and last partition, first day of raw rows, life of receipts and of keys (-want +got):\n%s", diff)
			}
			if !s.times {
				t.Error("times of events are kept")
			}
			// All days are merged, and a block may end with the day before yesterday at the latest: elsewhere, yesterday is not over.
			if blocks := s.blocks.Format(time.DateOnly); !slices.Equal(s.merged, []int{1}) || blocks != "2026-02-27" {
				t.Errorf("merged days with %v segments or more, blocks that ended before %s", s.merged, blocks)
			}
		})
	}
}

// stuck is a store whose drop of partitions takes until ctx ends. It counts what goes on meanwhile.
type stuck struct {
	*store

	sweeps, merges atomic.Int64
}

func (s *stuck) DropExpired(ctx context.Context, _ time.Time) ([]postgres.Partition, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (s *stuck) Work(context.Context, time.Duration) (int, error) {
	s.sweeps.Add(1)
	return 0, nil
}

func (s *stuck) MergeSegments(context.Context, int) (int64, error) {
	s.merges.Add(1)
	return 0, nil
}

// TestSweepsDoNotWaitForMaintenance lets maintenance take an hour: lost tasks are replaced, failed batches retried and segments merged.
func TestSweepsDoNotWaitForMaintenance(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, retries := &stuck{store: &store{}}, atomic.Int64{}
		work := schedule.New(schedule.Options{
			Store: s, Queue: &queue{}, Now: time.Now, Logger: slog.New(slog.DiscardHandler),
			RetryFailed: func(context.Context) error { retries.Add(1); return nil },
		}, prometheus.NewRegistry())
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour+time.Second)
		defer cancel()
		if err := work.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if sweeps, merges := s.sweeps.Load(), s.merges.Load(); sweeps != 1800 || retries.Load() != 1800 || merges < 360 {
			t.Errorf("%d sweeps, %d retries and %d merges in an hour", sweeps, retries.Load(), merges)
		}
	})
}

func TestMergeLeavesDaysWithFewSegments(t *testing.T) {
	t.Parallel()
	s := &store{}
	if err := newSchedule(t, s, &queue{}, nil).Merge(t.Context()); err != nil || !slices.Equal(s.merged, []int{32}) {
		t.Errorf("merged days with %v segments or more, %v", s.merged, err)
	}
}

func TestQueueInRedis(t *testing.T) {
	t.Parallel()
	server := redistest.StartServer(t)
	client := redistest.Client(t, server.Config())
	q := schedule.NewAsynqQueue(client, tasks.NewClient(client, time.Second))
	waiting := func(want int) {
		t.Helper()
		if n, err := q.Waiting(t.Context()); err != nil || n != want {
			t.Errorf("Waiting = %d, %v; want %d", n, err, want)
		}
	}
	waiting(0) // the queue was never used
	for range 3 {
		if err := q.Wake(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	waiting(3)
	if n, err := q.Clear(t.Context()); err != nil || n != 3 {
		t.Errorf("Clear = %d, %v; want 3", n, err)
	}
	waiting(0)
	for range 3 {
		if err := q.Wake(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	server.FlushAll()
	waiting(0)
	if err := q.Wake(t.Context()); err != nil {
		t.Fatal(err)
	}
	waiting(1) // the queue is registered again, although this client has used it before
	server.Stop()
	if n, err := q.Waiting(t.Context()); err == nil {
		t.Errorf("Waiting = %d without Redis: the sweeper would not fold by itself", n)
	}
	if err := q.Wake(t.Context()); err == nil {
		t.Error("Wake succeeds without Redis")
	}
}
