package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hp-analytics/hp-analytics/internal/openapi/apifuzz"
	"github.com/hp-analytics/hp-analytics/internal/openapi/openapitest"
)

// settleTimeout bounds the time until everything that was stored is counted and everybody who was erased is gone.
const settleTimeout = 5 * time.Minute

// fuzz starts the platform, sends the requests, and reports.
func fuzz(ctx context.Context, o options, out io.Writer) (err error) {
	_, _ = fmt.Fprintf(out, "Seed %d, %s.\n", o.seed, o.duration)
	dir, remove, err := place(o.dir)
	if err != nil {
		return err
	}
	defer func() {
		if err == nil || ctx.Err() != nil {
			err = errors.Join(err, remove())
		} else {
			_, _ = fmt.Fprintf(out, "Logs and data remain in %s.\n", dir)
		}
	}()
	p, err := start(ctx, o.bin, dir)
	defer func() { err = errors.Join(err, p.Stop()) }()
	if err != nil {
		return err
	}
	t := newTally()
	if err := send(ctx, o, p, t); err != nil {
		return err
	}
	p.inspect(ctx, t)
	return report(out, t)
}

// place returns the directory of the run. remove deletes it if it is temporary.
func place(wanted string) (dir string, remove func() error, err error) {
	if wanted != "" {
		dir, err = filepath.Abs(wanted)
		return dir, func() error { return nil }, err
	}
	if dir, err = os.MkdirTemp("", "hp-analytics-fuzz-"); err != nil {
		return "", nil, fmt.Errorf("make a directory: %w", err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // the servers run as an unprivileged user, who has to enter it
		return "", nil, fmt.Errorf("open the directory: %w", err)
	}
	return dir, func() error { return os.RemoveAll(dir) }, nil
}

// send sends requests to all services at the same time.
func send(ctx context.Context, o options, p *platform, t *tally) error {
	fuzzer, err := apifuzz.New(p.pool)
	if err != nil {
		return err
	}
	rules, err := openapitest.LoadRules()
	if err != nil {
		return err
	}
	byService := map[string][]apifuzz.Operation{}
	for _, operation := range fuzzer.Operations() {
		if o.operation != "" && operation.ID != o.operation {
			continue
		}
		service := cmp.Or(operation.Service, "catalog") // or any other
		byService[service] = append(byService[service], operation)
	}
	if len(byService) == 0 {
		return fmt.Errorf("openapi.yaml has no operation %q", o.operation)
	}
	end := time.Now().Add(o.duration)
	group, ctx := errgroup.WithContext(ctx)
	for service, operations := range byService {
		slices.SortStableFunc(operations, creatingFirst)
		w := newWorker(p, fuzzer, judge{rules}, t, o.seed, service)
		group.Go(func() error { return w.run(ctx, operations, end) })
	}
	return group.Wait()
}

// creatingFirst orders operations, so that those come first that make what the others name.
func creatingFirst(a, b apifuzz.Operation) int {
	rank := func(o apifuzz.Operation) int {
		for i, prefix := range []string{"create", "register", "begin", "login"} {
			if strings.HasPrefix(o.ID, prefix) {
				return i
			}
		}
		return 9
	}
	return rank(a) - rank(b)
}

// inspect adds what is wrong with the platform afterwards.
func (p *platform) inspect(ctx context.Context, t *tally) {
	for _, crash := range p.Crashes() {
		t.find("crash", crash)
	}
	logs, _ := filepath.Glob(filepath.Join(p.Dir, "*.log")) // the pattern is good
	for _, log := range logs {
		content, err := os.ReadFile(log)
		if err != nil {
			t.find("log", err.Error())
		}
		for line := range strings.Lines(string(content)) {
			if strings.Contains(line, `"panic"`) {
				t.find("panic"+log, filepath.Base(log)+" has a panic: "+shorten([]byte(line)))
			}
		}
	}
	if err := p.settle(ctx); err != nil {
		t.find("settle", err.Error())
		return
	}
	if out, err := p.Command(ctx, "reconcile"); err != nil {
		t.find("reconcile", fmt.Sprintf("the numbers are wrong: %v\n%s", err, shorten(out)))
	}
}

// settle waits until every batch is folded and every erasure is done.
func (p *platform) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	const open = `SELECT EXISTS (SELECT FROM ingest.batches WHERE aggregated_at IS NULL) OR EXISTS (SELECT FROM ingest.erasures WHERE finished_at IS NULL)`
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for pending := true; pending; {
		if err := p.DB.QueryRow(ctx, open).Scan(&pending); err != nil {
			return fmt.Errorf("wait until everything is counted: %w", err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("wait until everything is counted: %w", ctx.Err())
		}
	}
	return nil
}
