package cli

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// reached returns an error unless something answers at url. A platform that restarts during an import is waited for; one that was
// never there is more likely a wrong URL.
func reached(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(url, "/")+"/health", http.NoBody)
	if err != nil {
		return usageError{err}
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("nothing answers at %s (--url names the platform): %w", url, err)
	}
	return response.Body.Close()
}

// demoPatience is how long a demo waits for a platform that starts beside it.
const demoPatience = 30 * time.Second

// awaitPlatform waits until something answers at url, says that it does, and gives up after a time.
func (e environment) awaitPlatform(ctx context.Context, url string, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	for tries := 0; ; tries++ {
		err := reached(ctx, url)
		if err == nil {
			return nil
		}
		if tries == 0 {
			_, _ = fmt.Fprintf(e.stdout, "Waiting up to %s for a platform at %s, where nothing answers yet. `hp-analytics up` starts one.\n", patience, url)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("gave up after %s: %w", patience, err)
		case <-again.C:
		}
	}
}
