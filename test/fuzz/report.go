package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

const (
	// maxRatio is how much more CPU time than an accepted request a refused one may cost, in each batch of a kind.
	maxRatio = 10
	// minRequests is from how many requests of a kind on their cost says something.
	minRequests = 16
	// minValid is how many valid requests of an operation must be sent before one must be accepted. Of fewer, chance decides.
	minValid = 256
	// shown bounds the findings that are printed.
	shown = 60
)

// report prints the table and the findings.
func report(out io.Writer, t *tally) error {
	t.checkCosts()
	t.checkAccepted()
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "operation\tvalid\tbroken\tstatuses\taccepted µs\trefused µs\tworst kind")
	sum := 0
	for _, operation := range t.operations() {
		r := t.rows[operation]
		sum += r.valid + r.broken
		kind, worst := r.worst()
		_, _ = fmt.Fprintf(table, "%s\t%d\t%d\t%s\t%d\t%d\t%s: %d\n", operation, r.valid, r.broken, statuses(r.statuses),
			r.accepted.mean().Microseconds(), r.allRefused().mean().Microseconds(), kind, worst.mean().Microseconds())
	}
	_ = table.Flush() // as for Fprintln
	_, _ = fmt.Fprintf(out, "%d requests. The times are CPU of the service for a request.\n", sum)
	for _, finding := range t.findings[:min(shown, len(t.findings))] {
		_, _ = fmt.Fprintln(out, "WRONG:", finding)
	}
	if len(t.findings) > 0 {
		return fmt.Errorf("%d findings", len(t.findings))
	}
	_, _ = fmt.Fprintln(out, "Every answer is one that the contract has, nothing broken was accepted, and every number is right.")
	return nil
}

func statuses(counts map[int]int) string {
	var all []string
	for _, status := range slices.Sorted(maps.Keys(counts)) {
		all = append(all, fmt.Sprintf("%d×%d", counts[status], status))
	}
	return strings.Join(all, " ")
}

// allRefused returns the cost of all refused requests.
func (r *row) allRefused() (sum cost) {
	for _, c := range r.refused {
		sum.add(c)
	}
	return sum
}

// worst returns the kind of refused requests that cost most.
func (r *row) worst() (kind string, c cost) {
	for name, other := range r.refused {
		if other.requests >= minRequests && other.mean() > c.mean() {
			kind, c = name, other
		}
	}
	return kind, c
}

// byLink are the operations that only share links may call, and no request of the fuzzer has one.
var byLink = map[string]bool{"sharedOverview": true, "sharedProduct": true}

// checkAccepted demands that a request of every operation was accepted that was called often: otherwise nothing behind its checks was
// reached.
func (t *tally) checkAccepted() {
	for _, operation := range t.operations() {
		r := t.rows[operation]
		ok := r.valid < minValid || byLink[operation]
		for status := range r.statuses {
			ok = ok || status < 300
		}
		if !ok {
			t.find("never"+operation, fmt.Sprintf("%s: no request was accepted: %s", operation, statuses(r.statuses)))
		}
	}
}

// checkCosts demands that refusing a request costs no more than accepting one by a factor. A request of a cheap operation is compared
// with the average of its service, and what was sent counts as if it were accepted by the byte. What the service does in the background
// is measured with a batch, and is the more the slower the machine is, so the batch of a kind that cost least decides.
func (t *tally) checkCosts() {
	services, perByte := t.averages()
	for _, operation := range t.operations() {
		r := t.rows[operation]
		fair := max(r.accepted.mean(), services[r.service].mean())
		for kind, c := range r.refused {
			limit := maxRatio * (fair + time.Duration(perByte*float64(c.bytes)/float64(c.requests)))
			if c.requests >= minRequests && c.least > limit {
				t.find("cost"+operation+kind, fmt.Sprintf("%s: refusing %q costs at least %d µs of CPU, over %d times the %d µs of an accepted request",
					operation, kind, c.least.Microseconds(), maxRatio, fair.Microseconds()))
			}
		}
	}
}

// averages returns the cost of accepted requests by service, and the least CPU time in nanoseconds for a byte of accepted large bodies.
func (t *tally) averages() (services map[string]cost, perByte float64) {
	services = map[string]cost{}
	for _, r := range t.rows {
		sum := services[r.service]
		sum.add(r.accepted)
		services[r.service] = sum
	}
	return services, 2 // as memory is read, copied and parsed at hundreds of MB a second
}
