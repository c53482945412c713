// Package tail follows what a project receives, for the command line: events, orders and refunds as they are stored, and what is refused.
package tail

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// patience is how long the stream may say nothing. The platform gives a sign of life every 15 s.
	patience = 40 * time.Second
	// firstPause is the time before a first attempt to come back. It doubles up to mostPause.
	firstPause = 250 * time.Millisecond
	mostPause  = 5 * time.Second
	// refusedEvery is the time between two looks at what is refused.
	refusedEvery = time.Second
)

// Options say what to follow.
type Options struct {
	URL     string // base URL of the platform
	Key     string // an API key with the scope read
	Project string // sent as the header Project; empty for that of the key
	Query   url.Values
	Refused bool // also what is refused, to which Query does not apply
	JSON    bool // a line of JSON for each, else one for people
	Client  *http.Client
	Out     io.Writer
	Notes   io.Writer // is told when the connection breaks and is back
}

// Run follows until ctx ends, which is no error. It comes back behind the last item when the connection breaks. An error says that the
// platform refuses, or that the output cannot be written.
func Run(ctx context.Context, options Options) error {
	f := &follower{Options: options}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return f.stored(ctx) })
	if options.Refused {
		group.Go(func() error { return f.refused(ctx) })
	}
	err := group.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

type follower struct {
	Options

	mu sync.Mutex // guards the output
}

// refusal is an answer that a repetition does not change.
type refusal struct{ detail string }

func (r refusal) Error() string { return "the platform refuses: " + r.detail }

// get sends a request. A refusal says that it is of no use to send it again.
func (f *follower) get(ctx context.Context, path, last string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(f.URL, "/")+path, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("make a request: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+f.Key)
	if f.Project != "" {
		request.Header.Set("Project", f.Project)
	}
	if last != "" {
		request.Header.Set("Last-Event-ID", last)
	}
	answer, err := f.Client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("reach the platform: %w", err)
	}
	if answer.StatusCode == http.StatusOK {
		return answer, nil
	}
	defer func() { _ = answer.Body.Close() }()
	var problem struct{ Detail string }
	if err := json.NewDecoder(io.LimitReader(answer.Body, 1<<16)).Decode(&problem); err != nil || problem.Detail == "" {
		problem.Detail = answer.Status
	}
	if answer.StatusCode < http.StatusInternalServerError && answer.StatusCode != http.StatusTooManyRequests {
		return nil, refusal{problem.Detail}
	}
	return nil, errors.New(problem.Detail)
}

// note tells about the connection.
func (f *follower) note(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, _ = fmt.Fprintf(f.Notes, format+"\n", args...)
}

// show writes an item.
func (f *follower) show(kind string, data json.RawMessage) error {
	text, err := f.line(kind, data)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := fmt.Fprintln(f.Out, text); err != nil {
		return fmt.Errorf("write a line: %w", err)
	}
	return nil
}

// pause waits, and returns an error when ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
