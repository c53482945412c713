package backlog_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hp-analytics/hp-analytics/k8s/operator/internal/backlog"
)

func TestSnapshotAges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		snapshot := backlog.NewSnapshot(30 * time.Second)
		if _, err := snapshot.Get("rollups"); !errors.Is(err, backlog.ErrNotPolled) {
			t.Errorf("before any reading: %v, want ErrNotPolled", err)
		}
		snapshot.Put("rollups", backlog.Reading{Backlog: 7, Time: time.Now()})
		time.Sleep(30 * time.Second) //nolint:forbidigo // synctest's clock
		if reading, err := snapshot.Get("rollups"); err != nil || reading.Backlog != 7 {
			t.Errorf("after 30 s: %v, %v; want 7", reading.Backlog, err)
		}
		time.Sleep(time.Nanosecond) //nolint:forbidigo // synctest's clock
		if reading, err := snapshot.Get("rollups"); !errors.Is(err, backlog.ErrStale) || reading != (backlog.Reading{}) {
			t.Errorf("after more than 30 s: %v, %v; want ErrStale and no number", reading, err)
		}
	})
}
