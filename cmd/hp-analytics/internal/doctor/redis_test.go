package doctor

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/hp-analytics/hp-analytics/internal/checkup"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/internal/platform/tasks"
	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
)

func TestRedisWithBadSettings(t *testing.T) {
	t.Parallel()
	s := withRedis(t, siteOf(t, dbtest.New(t).URL()), redistest.StartServer(t).Config())
	set := func(name, value string) {
		t.Helper()
		if err := s.Redis.ConfigSet(t.Context(), name, value).Err(); err != nil {
			t.Fatal(err)
		}
	}
	want(t, s, "redis/server", OK, "a primary")
	want(t, s, "redis/memory", OK, "maxmemory-policy is noeviction")
	want(t, s, "redis/persistence", OK, "a log of its writes")
	set("maxmemory-policy", "allkeys-lru")
	want(t, s, "redis/memory", Problem, "maxmemory-policy is allkeys-lru")
	set("maxmemory-policy", "noeviction")
	set("maxmemory", "0")
	want(t, s, "redis/memory", Warning, "maxmemory is not set")
	memory, err := s.info(t.Context(), "memory")
	if err != nil {
		t.Fatal(err)
	}
	used, err := strconv.Atoi(memory["used_memory"])
	if err != nil {
		t.Fatal(err)
	}
	set("maxmemory", strconv.Itoa(used))
	want(t, s, "redis/memory", Problem, "when it is full")
	set("maxmemory", "512mb")

	dir := s.Redis.ConfigGet(t.Context(), "dir").Val()["dir"]
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, os.Getuid(), os.Getgid()); err != nil { // no longer that of the user of Redis
		t.Fatal(err)
	}
	if err := s.Redis.BgSave(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	platformtest.Eventually(t, time.Minute, "a save has failed", func() bool { return find(t, s, "redis/persistence")[0].Level != OK })
	want(t, s, "redis/persistence", Problem, "could not save its data")

	if err := s.Redis.ReplicaOf(t.Context(), "127.0.0.1", "1").Err(); err != nil {
		t.Fatal(err)
	}
	want(t, s, "redis/server", Problem, "is a replica")
}

func TestQueue(t *testing.T) {
	t.Parallel()
	s := withRedis(t, siteOf(t, dbtest.New(t).URL()), redistest.New(t))
	want(t, s, "queue/tasks", OK, "is new")
	want(t, s, "queue/workers", Problem, "no aggregator takes tasks")
	if err := protocol.BatchReady.Enqueue(t.Context(), tasks.NewClient(s.Redis, time.Minute)); err != nil {
		t.Fatal(err)
	}
	want(t, s, "queue/tasks", OK, "tasks: 1 waiting")
	name := redistest.Queue(t, s.Redis, protocol.BatchReady.Queue)
	if err := s.Queue.PauseQueue(name); err != nil {
		t.Fatal(err)
	}
	want(t, s, "queue/tasks", Problem, "is paused")
	s.Hurry = true
	want(t, s, "queue/tasks", Warning, "1 task waiting, the oldest for")
	if _, err := s.Queue.ArchiveAllPendingTasks(name); err != nil {
		t.Fatal(err)
	}
	want(t, s, "queue/tasks", Warning, "1 task not tried again after many failures")
	if _, err := s.Queue.DeleteAllArchivedTasks(name); err != nil {
		t.Fatal(err)
	}

	server := asynq.NewServerFromRedisClient(s.Redis, asynq.Config{
		Queues: map[string]int{name: 1}, Concurrency: 3, Logger: tasks.Logger{Logger: platformtest.Discard()},
	})
	if err := server.Start(asynq.NewServeMux()); err != nil {
		t.Fatal(err)
	}
	defer server.Shutdown()
	platformtest.Eventually(t, time.Minute, "the worker is registered", func() bool { return find(t, s, "queue/workers")[0].Level == OK })
	want(t, s, "queue/workers", OK, "1 aggregator taking tasks, 3 at once")
}

func TestManyRetries(t *testing.T) {
	t.Parallel()
	s := withRedis(t, siteOf(t, dbtest.New(t).URL()), redistest.New(t))
	name := redistest.Queue(t, s.Redis, protocol.BatchReady.Queue)
	client := asynq.NewClientFromRedisClient(s.Redis)
	for range checkup.RetryMany {
		if _, err := client.Enqueue(asynq.NewTask("t", nil), asynq.Queue(name), asynq.MaxRetry(5)); err != nil {
			t.Fatal(err)
		}
	}
	server := asynq.NewServerFromRedisClient(s.Redis, asynq.Config{
		Queues: map[string]int{name: 1}, Concurrency: 10, Logger: tasks.Logger{Logger: platformtest.Discard()},
		RetryDelayFunc: func(int, error, *asynq.Task) time.Duration { return time.Hour },
	})
	mux := asynq.NewServeMux()
	mux.HandleFunc("t", func(context.Context, *asynq.Task) error { return context.Canceled })
	if err := server.Start(mux); err != nil {
		t.Fatal(err)
	}
	defer server.Shutdown()
	platformtest.Eventually(t, time.Minute, "all tasks have failed", func() bool { return find(t, s, "queue/tasks")[0].Level != OK })
	want(t, s, "queue/tasks", Warning, "100 tasks failed, and tried again")
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	answer, status := `{"status":"ready","checks":{"postgres":"ok"}}`, http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(answer))
	}))
	s := &Site{URL: server.URL + "/"}
	want(t, s, "services/ready", OK, "is ready")
	answer = `{"status":"ready","checks":{"postgres":"ok","redis":"degraded"}}`
	want(t, s, "services/ready", Warning, "is ready, but redis is degraded")
	answer, status = `{"status":"unready","checks":{"postgres":"unavailable"}}`, http.StatusServiceUnavailable
	want(t, s, "services/ready", Problem, "is not ready: postgres is unavailable")
	answer, status = `<html>`, http.StatusBadGateway
	want(t, s, "services/ready", Problem, "answers 502 Bad Gateway, and not as the platform does")
	server.Close()
	want(t, s, "services/ready", Problem, "does not answer: ")
}
