package lifecycle_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/platform/lifecycle"
)

// journal records what happened in order.
type journal struct {
	mu      sync.Mutex
	entries []string
}

func (j *journal) add(entry string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, entry)
}

// component starts after startup and notes its start and stop.
func (j *journal) component(name string, startup time.Duration) lifecycle.Component {
	return lifecycle.Component{Name: name, Run: func(ctx context.Context, ready func()) error {
		time.Sleep(startup) //nolint:forbidigo // synctest's clock
		j.add("start " + name)
		ready()
		<-ctx.Done()
		j.add("stop " + name)
		return nil
	}}
}

func quiet() lifecycle.Options { return lifecycle.Options{Logger: slog.New(slog.DiscardHandler)} }

func TestRunStartsInOrderAndStopsInReverse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var j journal
		options := quiet()
		options.DrainDelay = 5 * time.Second
		options.Drain = func() { j.add("drain") }
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begin := time.Now()

		// The slowest starts first: only waiting for readiness can keep the order.
		err := lifecycle.Run(ctx, options, j.component("a", 3*time.Second), j.component("b", time.Second), j.component("c", 0))
		if err != nil {
			t.Fatalf("Run: %v", err)
		}
		want := []string{"start a", "start b", "start c", "drain", "stop c", "stop b", "stop a"}
		if diff := cmp.Diff(want, j.entries); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
		if got, want := time.Since(begin), time.Minute+5*time.Second; got != want {
			t.Errorf("ran for %s, want %s: until the request to stop plus the drain delay", got, want)
		}
	})
}

func TestRunStopsAllOnTheFirstFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var j journal
		options := quiet()
		options.DrainDelay = time.Hour
		broken := errors.New("broken")
		failing := lifecycle.Component{Name: "b", Run: func(_ context.Context, ready func()) error {
			ready()
			time.Sleep(time.Second) //nolint:forbidigo // synctest's clock
			return broken
		}}
		begin := time.Now()

		err := lifecycle.Run(t.Context(), options, j.component("a", 0), failing, j.component("c", 0))
		if !errors.Is(err, broken) || !strings.Contains(err.Error(), "b: ") {
			t.Errorf("Run = %v, want the failure of b", err)
		}
		if diff := cmp.Diff([]string{"start a", "start c", "stop c", "stop a"}, j.entries); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
		if time.Since(begin) != time.Second {
			t.Errorf("stopped after %s: a failure must not wait for the drain delay", time.Since(begin))
		}
	})
}

func TestRunTreatsAnEarlyReturnAsFailure(t *testing.T) {
	t.Parallel()
	done := lifecycle.Component{Name: "done", Run: func(context.Context, func()) error { return nil }}
	if err := lifecycle.Run(t.Context(), quiet(), done); err == nil || !strings.Contains(err.Error(), "done: returned although it should run") {
		t.Errorf("Run = %v", err)
	}
}

func TestRunDoesNotStartWhatComesAfterAFailure(t *testing.T) {
	t.Parallel()
	var j journal
	broken := errors.New("broken")
	failing := lifecycle.Component{Name: "a", Run: func(context.Context, func()) error { return broken }}
	if err := lifecycle.Run(t.Context(), quiet(), failing, j.component("b", 0)); !errors.Is(err, broken) {
		t.Errorf("Run = %v", err)
	}
	if len(j.entries) != 0 {
		t.Errorf("after the failure: %v", j.entries)
	}
}

func TestRunGivesUpOnAComponentThatDoesNotStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var j journal
		release := make(chan struct{})
		defer close(release)
		stuck := lifecycle.Component{Name: "stuck", StopTimeout: 2 * time.Second, Run: func(_ context.Context, ready func()) error {
			ready()
			<-release
			return nil
		}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := lifecycle.Run(ctx, quiet(), j.component("a", 0), stuck)
		if err == nil || !strings.Contains(err.Error(), "stop stuck: not done after 2s") {
			t.Errorf("Run = %v", err)
		}
		if diff := cmp.Diff([]string{"start a", "stop a"}, j.entries); diff != "" {
			t.Errorf("the others must still be stopped (-want +got):\n%s", diff)
		}
	})
}
