package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/openapi/apifuzz"
)

const (
	validKind = "valid"
	// connections is how many requests of a service are under way at the same time.
	connections = 2
	// batch is how many requests of one kind are sent together, and measured together.
	batch = 8
	// maxErasures is how many users are erased: each rewrites the days of the user, which takes longer than the run.
	maxErasures = 20
)

// worker sends requests to one service.
type worker struct {
	*platform
	fuzzer *apifuzz.Fuzzer
	judge  judge
	tally  *tally
	seed   uint64

	service string // that answers
	pid     int
	conns   []*connection
	erased  int
}

func newWorker(p *platform, fuzzer *apifuzz.Fuzzer, j judge, t *tally, seed uint64, service string) *worker {
	w := &worker{platform: p, fuzzer: fuzzer, judge: j, tally: t, seed: seed, service: service, pid: p.Service(service).PID()}
	for range connections {
		w.conns = append(w.conns, &connection{address: strings.TrimPrefix(p.Service(service).URL(), "http://")})
	}
	return w
}

// run sends valid requests to each operation, and then valid and broken ones for its share of the time.
func (w *worker) run(ctx context.Context, operations []apifuzz.Operation, end time.Time) error {
	defer func() {
		for _, c := range w.conns {
			c.close()
		}
	}()
	for _, o := range operations {
		if err := w.batch(ctx, o, validKind, w.random(o, "first")); err != nil {
			return err
		}
	}
	for i, o := range operations {
		share := time.Now().Add(time.Until(end) / time.Duration(len(operations)-i))
		if err := w.operation(ctx, o, share); err != nil {
			return err
		}
	}
	return nil
}

// random returns the random source of an operation, which other operations do not change.
func (w *worker) random(o apifuzz.Operation, part string) *rand.Rand {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(o.ID + part))
	return rand.New(rand.NewPCG(w.seed, hash.Sum64())) //nolint:gosec // a seed repeats it
}

// operation alternates batches of valid and broken requests, in a random order of the kinds.
func (w *worker) operation(ctx context.Context, o apifuzz.Operation, end time.Time) error {
	random := w.random(o, "")
	for first := true; first || time.Now().Before(end); first = false {
		for i, at := range random.Perm(len(o.Kinds)) {
			if i > 0 && time.Now().After(end) {
				return nil
			}
			if i%3 == 0 {
				if err := w.batch(ctx, o, validKind, random); err != nil {
					return err
				}
			}
			if err := w.batch(ctx, o, o.Kinds[at], random); err != nil {
				return err
			}
		}
	}
	return nil
}

// batch sends some requests of a kind, and adds their CPU time to what it is spent on.
func (w *worker) batch(ctx context.Context, o apifuzz.Operation, kind string, random *rand.Rand) error {
	requests := make([]*apifuzz.Request, batch)
	if apifuzz.Heavy(kind) {
		requests = requests[:connections]
	}
	total := cost{requests: len(requests)}
	for i := range requests {
		if kind == validKind {
			requests[i] = w.fuzzer.Valid(o.ID, random)
		} else {
			requests[i] = w.fuzzer.Broken(o.ID, kind, random)
		}
		total.bytes += len(requests[i].Body)
	}
	if o.ID == "eraseUser" && kind == validKind {
		if w.erased += len(requests); w.erased > maxErasures {
			return nil
		}
	}
	accepted := make([]bool, len(requests))
	errs := make([]error, connections)
	before := cpuTime(w.pid)
	var group sync.WaitGroup
	for i, conn := range w.conns {
		group.Go(func() {
			for at := i; at < len(requests) && errs[i] == nil; at += connections {
				accepted[at], errs[i] = w.send(ctx, conn, requests[at])
			}
		})
	}
	group.Wait()
	total.cpu = cpuTime(w.pid) - before
	for i := range errs {
		if errs[i] != nil {
			return errs[i]
		}
	}
	w.spent(o, kind, accepted, total)
	return nil
}

// spent counts the CPU time of a batch. One of which some requests were accepted and some refused says nothing, except of valid
// requests: those that were refused have got as far as the others.
func (w *worker) spent(o apifuzz.Operation, kind string, accepted []bool, total cost) {
	yes := 0
	for _, a := range accepted {
		if a {
			yes++
		}
	}
	switch {
	case yes == len(accepted), kind == validKind && yes > 0:
		w.tally.spent(o.ID, w.service, kind, true, total)
	case yes == 0:
		w.tally.spent(o.ID, w.service, kind, false, total)
	}
}

// send sends a request, judges the answer, and reports whether the request was accepted.
func (w *worker) send(ctx context.Context, conn *connection, r *apifuzz.Request) (accepted bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	response, body, err := conn.do(ctx, r, w.callers.of(r.Caller)) //nolint:bodyclose // do has read and closed it
	if err != nil {
		w.tally.find(r.Operation+r.Kind+"no answer", fmt.Sprintf("%s, %s: no answer: %v\n%s", r.Operation, r.Kind, err, shorten(r.Bytes("host", ""))))
		return false, nil
	}
	w.tally.answered(r.Operation, w.service, r.Kind, response.StatusCode)
	for _, problem := range w.judge.problems(r, response, body) {
		w.tally.find(r.Operation+problem, fmt.Sprintf("%s, %s, by %q: %s\n%s\nstatus %d, header %v\n%s",
			r.Operation, r.Kind, r.Caller, problem, shorten(r.Bytes("host", "")), response.StatusCode, response.Header, shorten(body)))
	}
	if response.StatusCode < 300 {
		w.pool.Learn(r, response.Header.Get("Location"), body)
		if err := w.callers.renew(ctx, r); err != nil {
			return true, fmt.Errorf("log in again after %s: %w", r.Operation, err)
		}
	}
	return response.StatusCode < 400, nil
}

// shorten returns the begin of a text.
func shorten(text []byte) string {
	const most = 1200
	if len(text) > most {
		return fmt.Sprintf("%s… (%d bytes)", text[:most], len(text))
	}
	return string(text)
}
