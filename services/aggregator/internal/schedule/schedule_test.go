package schedule_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/internal/platform/tasks"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/schedule"
)

func TestMain(m *testing.M) { platformtest.Main(m, redistest.Stop) }

var errAway = errors.New("away")

// store has stragglers, and notes what upkeep asks for.
type store struct {
	stragglers []uuid.UUID
	from, to   time.Time
	before     time.Time
	receipts   time.Duration
	keys       time.Duration
}

func (s *store) Stragglers(_ context.Context, _ time.Duration, limit int) ([]uuid.UUID, error) {
	return s.stragglers[:min(limit, len(s.stragglers))], nil
}

func (s *store) EnsurePartitions(_ context.Context, from, to time.Time) (int, error) {
	s.from, s.to = from, to
	return 0, nil
}

func (s *store) DropExpired(_ context.Context, before time.Time) ([]postgres.Partition, error) {
	s.before = before
	return nil, errAway // must not keep the rest from being done
}

func (s *store) PruneBatches(_ context.Context, age time.Duration) (int64, error) {
	s.receipts = age
	return 0, nil
}

func (s *store) PruneIdempotencyKeys(_ context.Context, age time.Duration) (int64, error) {
	s.keys = age
	return 0, nil
}

// queue holds tasks until it is full; a full one answers like one that is away.
type queue struct {
	tasks []uuid.UUID
	room  int
	err   error
}

func (q *queue) Waiting(context.Context) (int, error) { return len(q.tasks), q.err }

func (q *queue) Wake(_ context.Context, batch uuid.UUID) error {
	if len(q.tasks) == q.room {
		return errAway
	}
	q.tasks = append(q.tasks, batch)
	return nil
}

func newSchedule(t *testing.T, s *store, q schedule.Queue, fold func(context.Context) (bool, error)) *schedule.Schedule {
	t.Helper()
	work := &schedule.Schedule{
		Store: s, Queue: q, Fold: fold, ReceiptLife: 7 * 24 * time.Hour, RawLife: 10 * 24 * time.Hour,
		Now:    func() time.Time { return time.Date(2026, 3, 1, 1, 0, 0, 0, time.FixedZone("", 2*3600)) },
		Logger: platformtest.Logger(t),
	}
	work.Register(prometheus.NewRegistry())
	return work
}

func batches(n int) []uuid.UUID {
	ids := make([]uuid.UUID, n)
	for i := range ids {
		ids[i] = uuid.New()
	}
	return ids
}

// Sweeps come every two seconds, however long workers need: the queue must stay as long as the work, or what is scaled on
// would grow with the time that passes.
func TestSweepsDoNotFloodTheQueue(t *testing.T) {
	t.Parallel()
	const most = 1000
	for name, test := range map[string]struct{ stragglers, waiting, want int }{
		"nothing pends":         {0, 0, 0},
		"every task was lost":   {5, 0, 5},
		"some tasks were lost":  {5, 3, 5},
		"no task was lost":      {5, 5, 5},
		"more tasks than work":  {5, 9, 9},
		"a flood, all lost":     {3 * most, 0, most},
		"a flood, tasks remain": {3 * most, most, most},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, q := &store{stragglers: batches(test.stragglers)}, &queue{tasks: batches(test.waiting), room: 10 * most}
			work := newSchedule(t, s, q, func(context.Context) (bool, error) {
				t.Error("folded, though the queue is there")
				return false, nil
			})
			for range 5 {
				if err := work.Sweep(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if len(q.tasks) != test.want {
				t.Errorf("%d tasks, want %d", len(q.tasks), test.want)
			}
			if woken := q.tasks[test.waiting:]; !slices.Equal(woken, s.stragglers[:len(woken)]) {
				t.Error("the tasks are not those of the oldest batches")
			}
		})
	}
}

// Without Redis the leader folds until nothing is left, whether Redis is away from the start or goes in the middle.
func TestSweepFoldsWithoutRedis(t *testing.T) {
	t.Parallel()
	for name, q := range map[string]*queue{"away": {err: errAway}, "going away": {room: 2}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			left := 4
			work := newSchedule(t, &store{stragglers: batches(4)}, q, func(context.Context) (bool, error) {
				left--
				return left > 0, nil
			})
			if err := work.Sweep(t.Context()); err != nil || left != 0 {
				t.Errorf("Sweep = %v, %d folds left", err, left)
			}
		})
	}
	broken := errors.New("no database")
	work := newSchedule(t, &store{stragglers: batches(4)}, &queue{err: errAway}, func(context.Context) (bool, error) { return false, broken })
	if err := work.Sweep(t.Context()); !errors.Is(err, broken) {
		t.Errorf("Sweep = %v, want the error of the fold", err)
	}
}

func TestUpkeepIsAheadOfTime(t *testing.T) {
	t.Parallel()
	s := &store{}
	if err := newSchedule(t, s, &queue{}, nil).Upkeep(t.Context()); err != nil {
		t.Fatal(err)
	}
	// It is 23:00 on the last of February in UTC, where days are counted.
	got := []string{s.from.Format(time.DateOnly), s.to.Format(time.DateOnly), s.before.Format(time.RFC3339), s.receipts.String(), s.keys.String()}
	if diff := cmp.Diff([]string{"2026-02-27", "2026-03-03", "2026-02-17T00:00:00Z", "168h0m0s", "24h0m0s"}, got); diff != "" {
		t.Errorf("partitions from, to, first day of raw rows, life of receipts, of keys (-want +got):\n%s", diff)
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
	for _, batch := range batches(3) {
		if err := q.Wake(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	waiting(3)
	server.FlushAll()
	waiting(0)
	if err := q.Wake(t.Context(), uuid.New()); err != nil {
		t.Fatal(err)
	}
	waiting(1)
	server.Stop()
	if n, err := q.Waiting(t.Context()); err == nil {
		t.Errorf("Waiting = %d without Redis: the sweeper would not fold by itself", n)
	}
	if err := q.Wake(t.Context(), uuid.New()); err == nil {
		t.Error("Wake succeeds without Redis")
	}
}
