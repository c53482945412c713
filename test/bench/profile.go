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

// profileSeconds is how long a CPU profile lasts; a shorter load is profiled for as long as it lasts.
const profileSeconds = 5

// profiled runs work and, if -profile asks for it, takes a CPU profile of every service meanwhile. The files are called
// after the row and the service: events-folding-on.ingest.pprof.
func (p *platform) profiled(ctx context.Context, name string, lasts time.Duration, work func() error) error {
	if p.profiles == "" {
		return work()
	}
	seconds := max(1, min(profileSeconds, int(lasts.Seconds())))
	var group errgroup.Group
	for service, s := range p.services {
		file := filepath.Join(p.profiles, fileName(name)+"."+service+".pprof")
		group.Go(func() error { return fetchProfile(ctx, s.profiler, seconds, file) })
	}
	err := work()
	if problem := group.Wait(); err == nil {
		err = problem
	}
	return err
}

// fileName makes a row's name one of a file.
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
		return fmt.Errorf("keep a profile: %w", err)
	}
	if _, err := io.Copy(out, response.Body); err != nil {
		return fmt.Errorf("keep a profile: %w", err)
	}
	return out.Close()
}
