package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/hp-analytics/hp-analytics/test/torture/internal/fault"
)

// torture runs the faults under load and checks the result.
func torture(ctx context.Context, o options, out io.Writer) (err error) {
	faults := fault.Schedule(o.seed, o.duration)
	_, _ = fmt.Fprintf(out, "Seed %d: %d faults in %s, %d clients.\n", o.seed, len(faults), o.duration, o.clients)
	for _, f := range faults {
		_, _ = fmt.Fprintln(out, f)
	}
	bin, dir, remove, err := places(o)
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
	p, err := startPlatform(ctx, bin, dir)
	defer func() { err = errors.Join(err, p.stop()) }()
	if err != nil {
		return err
	}
	return newTrial(o, p, out).run(ctx, faults)
}

// places returns the directories of the programs and of the run. remove deletes the latter if it is temporary.
func places(o options) (bin, dir string, remove func() error, err error) {
	if bin, err = filepath.Abs(o.bin); err != nil {
		return "", "", nil, fmt.Errorf("find the programs: %w", err)
	}
	if o.dir != "" {
		dir, err = filepath.Abs(o.dir)
		return bin, dir, func() error { return nil }, err
	}
	if dir, err = os.MkdirTemp("", "hp-analytics-torture-"); err != nil {
		return "", "", nil, fmt.Errorf("make a directory: %w", err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // the servers run as an unprivileged user, who has to enter it
		return "", "", nil, fmt.Errorf("open the directory: %w", err)
	}
	return bin, dir, func() error { return os.RemoveAll(dir) }, nil
}
