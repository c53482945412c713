package deployment

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/localruntime/localproc"
)

// readyTimeout bounds the start of a service, and readyInterval is the time between two requests meanwhile.
const (
	readyTimeout  = time.Minute
	readyInterval = 20 * time.Millisecond
)

var errExited = errors.New("it has exited; see its log")

// AwaitSuccess waits until a GET of url, which the process serves, succeeds.
func (p *Process) AwaitSuccess(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for {
		last := get(ctx, url)
		if last == nil {
			return nil
		}
		if !p.Running() {
			return fmt.Errorf("%s is not ready: %w", p.Name(), errExited)
		}
		if err := localproc.Pause(ctx, readyInterval); err != nil {
			return fmt.Errorf("%s is not ready: %w; the last attempt: %w", p.Name(), err, last)
		}
	}
}

func get(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return fmt.Errorf("get %s: %w", url, err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("get %s: %w", url, err)
	}
	defer response.Body.Close() //nolint:errcheck // only the status matters
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("get %s: %s", url, response.Status)
	}
	return nil
}
