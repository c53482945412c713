// Package load sends prepared HTTP requests over a number of connections and takes the time of each answer. It shares the
// machine with what it examines, so it is made to take little of it: requests are made before, answers hardly read.
package load

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Load is a number of connections, each of which sends its next request when the last one is answered.
type Load struct {
	URL         string
	Requests    [][]byte // whole, with headers; connections take them in turn
	Connections int
	Duration    time.Duration
	// Rate is how many requests a second are due over all connections, whether answers come or not (open model); 0
	// means as many as are answered (closed model).
	Rate float64
	// Once ends the load when every request was sent once, or after Duration.
	Once bool
	// Parts is the number of equal parts of Duration of which Outcome.Parts tells the answers; 0 for none.
	Parts int
}

// Outcome is what a load has seen.
type Outcome struct {
	Answered  int            // with a status below 400
	Failed    map[string]int // by status; "connection" when it broke, "unsent" when it was due but not sent
	Took      time.Duration
	Latencies []time.Duration // of what was answered, sorted
	Parts     []int           // answers in each part of the duration; late ones are in the last
}

// Mean returns the mean latency.
func (o Outcome) Mean() time.Duration {
	if len(o.Latencies) == 0 {
		return 0
	}
	var sum time.Duration
	for _, latency := range o.Latencies {
		sum += latency
	}
	return sum / time.Duration(len(o.Latencies))
}

// FailedTotal returns how many requests failed.
func (o Outcome) FailedTotal() (n int) {
	for _, of := range o.Failed {
		n += of
	}
	return n
}

// Percentile returns the shortest time within which p percent of the answers came.
func (o Outcome) Percentile(p float64) time.Duration {
	if len(o.Latencies) == 0 {
		return 0
	}
	rank := int(float64(len(o.Latencies))*p/100 + 0.999999)
	return o.Latencies[max(rank, 1)-1]
}

// Run puts the load on. In the open model latency is counted from the moment at which a request was due, not from when
// it was sent: a system that stalls must not slow its own examiner down ("coordinated omission").
func (l Load) Run(ctx context.Context) (Outcome, error) {
	parsed, err := url.Parse(l.URL)
	if err != nil {
		return Outcome{}, fmt.Errorf("load: %w", err)
	}
	connections := make([]connection, l.Connections)
	problems := make([]error, l.Connections)
	begin := time.Now()
	var wg sync.WaitGroup
	for i := range connections {
		connections[i] = connection{load: l, host: parsed.Host, number: i, begin: begin, failed: map[string]int{}, parts: make([]int, l.Parts)}
		wg.Go(func() { problems[i] = connections[i].run(ctx) })
	}
	wg.Wait()
	all := Outcome{Took: time.Since(begin), Failed: map[string]int{}, Parts: make([]int, l.Parts)}
	for _, c := range connections {
		all.Latencies = append(all.Latencies, c.latencies...)
		for why, n := range c.failed {
			all.Failed[why] += n
		}
		for i, n := range c.parts {
			all.Parts[i] += n
		}
	}
	all.Answered = len(all.Latencies)
	slices.Sort(all.Latencies)
	return all, errors.Join(problems...)
}

// connection is one client.
type connection struct {
	load      Load
	host      string
	number    int
	begin     time.Time
	conn      net.Conn
	reader    *bufio.Reader
	latencies []time.Duration
	failed    map[string]int
	parts     []int
}

// reconnectPause keeps a client from hammering a server that is gone.
const reconnectPause = 10 * time.Millisecond

// run sends until the time is over. It fails only if the server cannot be reached at the beginning.
func (c *connection) run(ctx context.Context) error {
	if err := c.connect(ctx); err != nil {
		return err
	}
	defer func() { _ = c.conn.Close() }() // nothing is lost
	timer := time.NewTimer(0)
	defer timer.Stop()
	pause := func(d time.Duration) {
		timer.Reset(d)
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	for n := 0; ctx.Err() == nil; n++ {
		number := n*c.load.Connections + c.number
		if c.load.Once && number >= len(c.load.Requests) {
			break
		}
		due, open := c.due(n)
		if !due.Before(c.begin.Add(c.load.Duration)) {
			break
		}
		if wait := time.Until(due); open && wait > 0 {
			pause(wait)
		}
		if open && time.Since(c.begin) > 2*c.load.Duration { // hopelessly behind
			c.failed["unsent"]++
			continue
		}
		answer, err := c.ask(c.load.Requests[number%len(c.load.Requests)])
		switch {
		case err != nil:
			c.failed["connection"]++
		case answer.status >= 400:
			c.failed[strconv.Itoa(answer.status)]++
		default:
			c.count(due)
		}
		if err != nil || answer.last {
			_ = c.conn.Close()
			if c.connect(ctx) != nil {
				pause(reconnectPause)
			}
		}
	}
	return nil
}

// count records an answer that comes now to a request that was due at a time.
func (c *connection) count(due time.Time) {
	now := time.Now()
	c.latencies = append(c.latencies, now.Sub(due))
	if parts := c.load.Parts; parts > 0 {
		c.parts[min(parts-1, int(now.Sub(c.begin)*time.Duration(parts)/c.load.Duration))]++
	}
}

// due returns when the n-th request of this connection is to be sent.
func (c *connection) due(n int) (at time.Time, open bool) {
	if c.load.Rate <= 0 {
		return time.Now(), false
	}
	k := float64(n*c.load.Connections + c.number)
	return c.begin.Add(time.Duration(k / c.load.Rate * float64(time.Second))), true
}

func (c *connection) connect(ctx context.Context) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", c.host)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", c.host, err)
	}
	c.conn, c.reader = conn, bufio.NewReaderSize(conn, 16<<10)
	return nil
}

// ask sends one request and reads the answer to its end.
func (c *connection) ask(request []byte) (answer, error) {
	if _, err := c.conn.Write(request); err != nil {
		return answer{}, fmt.Errorf("send: %w", err)
	}
	return readAnswer(c.reader)
}
