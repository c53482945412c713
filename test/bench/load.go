package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// load is a number of connections that send prepared requests, each the next one when the last is answered. The requests
// are made before, and the answers hardly read, so that little of the machine goes into sending.
type load struct {
	url         string
	requests    [][]byte // whole, with headers; connections take them in turn
	connections int
	duration    time.Duration
	rate        float64 // requests a second over all connections; 0 means as many as possible
}

// outcome is what a load has seen.
type outcome struct {
	answered  int
	failed    int // answers of 400 and more, and lost connections
	failure   string
	took      time.Duration
	latencies []time.Duration // sorted
}

// run puts the load on. With a rate, latency is counted from the moment at which a request was due, not from when it was
// sent: a system that stalls must not slow its own examiner down ("coordinated omission").
func (l load) run(ctx context.Context) (outcome, error) {
	parsed, err := url.Parse(l.url)
	if err != nil {
		return outcome{}, fmt.Errorf("load: %w", err)
	}
	results := make([]outcome, l.connections)
	problems := make([]error, l.connections)
	begin := time.Now()
	var wg sync.WaitGroup
	for i := range l.connections {
		wg.Go(func() { results[i], problems[i] = l.connection(ctx, parsed.Host, i, begin) })
	}
	wg.Wait()
	all := outcome{took: time.Since(begin)}
	for _, r := range results {
		all.answered, all.failed = all.answered+r.answered, all.failed+r.failed
		all.latencies = append(all.latencies, r.latencies...)
		if r.failure != "" {
			all.failure = r.failure
		}
	}
	slices.Sort(all.latencies)
	return all, errors.Join(problems...)
}

// connection is one client.
func (l load) connection(ctx context.Context, host string, i int, begin time.Time) (o outcome, err error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
	if err != nil {
		return o, fmt.Errorf("connect: %w", err)
	}
	defer conn.Close() //nolint:errcheck // nothing is lost
	reader := bufio.NewReaderSize(conn, 16<<10)
	end := begin.Add(l.duration)
	for n := 0; ctx.Err() == nil; n++ {
		due := time.Now()
		if l.rate > 0 {
			due = begin.Add(time.Duration(float64(n*l.connections+i) / l.rate * float64(time.Second)))
			if wait := time.Until(due); wait > 0 {
				<-time.After(wait)
			}
		}
		if !due.Before(end) {
			break
		}
		if _, err := conn.Write(l.requests[(n*l.connections+i)%len(l.requests)]); err != nil {
			return o, fmt.Errorf("send: %w", err)
		}
		status, err := discardAnswer(reader)
		if err != nil {
			return o, fmt.Errorf("read an answer: %w", err)
		}
		if status >= 400 {
			o.failed++
			o.failure = strconv.Itoa(status)
			continue
		}
		o.answered++
		o.latencies = append(o.latencies, time.Since(due))
	}
	return o, nil
}

// discardAnswer reads an HTTP/1.1 answer with a Content-Length and returns its status.
func discardAnswer(r *bufio.Reader) (status int, err error) {
	lines := textproto.NewReader(r)
	line, err := lines.ReadLine()
	if err != nil {
		return 0, err //nolint:wrapcheck // by the caller
	}
	_, rest, _ := strings.Cut(line, " ")
	if status, err = strconv.Atoi(rest[:min(3, len(rest))]); err != nil {
		return 0, fmt.Errorf("status line %q: %w", line, err)
	}
	length := 0
	for {
		header, err := lines.ReadLineBytes()
		if err != nil {
			return 0, err //nolint:wrapcheck // by the caller
		}
		if len(header) == 0 {
			break
		}
		if name, value, ok := strings.Cut(string(header), ": "); ok && strings.EqualFold(name, "Content-Length") {
			if length, err = strconv.Atoi(value); err != nil {
				return 0, fmt.Errorf("Content-Length: %w", err)
			}
		}
	}
	_, err = io.CopyN(io.Discard, r, int64(length))
	return status, err //nolint:wrapcheck // by the caller
}

// percentile returns the latency that p percent of the answers did not exceed.
func (o outcome) percentile(p float64) time.Duration {
	if len(o.latencies) == 0 {
		return 0
	}
	return o.latencies[min(len(o.latencies)-1, int(float64(len(o.latencies))*p/100))]
}
