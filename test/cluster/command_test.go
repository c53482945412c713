package cluster_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// command runs a program and returns its standard output. The error contains its standard error.
func command(ctx context.Context, name string, args ...string) (string, error) {
	return commandWith(ctx, nil, name, args...)
}

// commandWith is command with additional environment variables, as NAME=value.
func commandWith(ctx context.Context, environ []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), environ...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if err != nil {
		err = fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, stderr.String(), tail(stdout.String()))
	}
	return strings.TrimRight(stdout.String(), "\n"), err
}

// tail returns the last lines of a text.
func tail(text string) string {
	const keep = 2000
	return text[max(0, len(text)-keep):]
}

// must returns the output of a command and fails the test if there is an error.
func must(t *testing.T) func(output string, err error) string {
	t.Helper()
	return func(output string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return output
	}
}

// eventually polls check twice a second until it returns nil, and returns how long that took. After limit the test fails
// with the last error.
func eventually(t *testing.T, limit time.Duration, what string, check func() error) time.Duration {
	t.Helper()
	took, err := poll(t.Context(), limit, check)
	if err != nil {
		t.Fatalf("%s: not after %s: %v", what, limit, err)
	}
	return took
}

// poll is eventually for callers without a test.
func poll(ctx context.Context, limit time.Duration, check func() error) (time.Duration, error) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return time.Since(began), nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return time.Since(began), err
		}
	}
}

// throughout polls check for a time and fails the test as soon as it returns an error.
func throughout(t *testing.T, span time.Duration, what string, check func() error) {
	t.Helper()
	end := time.After(span)
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	began := time.Now()
	for {
		if err := check(); err != nil {
			t.Fatalf("%s: after %s: %v", what, time.Since(began).Round(time.Second), err)
		}
		select {
		case <-tick.C:
		case <-end:
			return
		}
	}
}

// needed returns an environment variable that the runner must set.
func needed(name string) (string, error) {
	if value := os.Getenv(name); value != "" {
		return value, nil
	}
	return "", errors.New(name + " is not set: run this by `make e2e-cluster`")
}
