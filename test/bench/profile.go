package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// profileSeconds is the length of a CPU profile. A shorter load is profiled for its own length.
const profileSeconds = 5

// profiled runs work, and with -profile takes a CPU profile of every service at the same time. The files are named after the
// row and the service: events-folding-on.ingest.pprof.
func (p *platform) profiled(ctx context.Context, name string, lasts time.Duration, work func() error) error {
	if p.profiles == "" {
		return work()
	}
	seconds := max(1, min(profileSeconds, int(lasts.Seconds())))
	var group errgroup.Group
	for service, profiler := range p.profilers {
		file := filepath.Join(p.profiles, fileName(name)+"."+service+".pprof")
		group.Go(func() error { return fetchProfile(ctx, profiler, seconds, file) })
	}
	err := work()
	if problem := group.Wait(); err == nil {
		err = problem
	}
	return err
}

// fileName turns the name of a row into the name of a file.
func fileName(row string) string {
	return strings.Trim(regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(row), "-"), "-")
}

func fetchProfile(ctx context.Context, profiler string, seconds int, file string) error {
	url := profiler + "/debug/pprof/profile?seconds=" + strconv.Itoa(seconds)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return fmt.Errorf("take a profile: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("take a profile: %w", err)
	}
	defer response.Body.Close() //nolint:errcheck // read to its end
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("take a profile: %s answers %s", url, response.Status)
	}
	out, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("save a profile: %w", err)
	}
	if _, err := io.Copy(out, response.Body); err != nil {
		return fmt.Errorf("save a profile: %w", err)
	}
	return out.Close()
}
