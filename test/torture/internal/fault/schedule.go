// Package fault derives the faults of a run from its seed and injects them.
package fault

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/hp-analytics/hp-analytics/test/torture/internal/proxy"
)

// Action is what a fault does to its target.
type Action string

// The actions.
const (
	Kill  Action = "kill -9" // and restart after a while
	Wipe  Action = "wipe"
	Pause Action = "pause" // and resume after a while
	Fill  Action = "fill the committer of"
	Cut   Action = "cut the commit of" // between it and Postgres, once
	Sever Action = "sever all connections to Postgres of"

	Drop     Action = "drop all packets of"        // to and from Postgres and Redis; no connection is closed
	ReadOnly Action = "make read-only"             // as a failover does, and back after a while
	Damage   Action = "give a damaged batch to"    // and remove it when it is set aside
	Slow     Action = "send bodies very slowly to" // over many connections of one caller
)

// The targets of faults.
const (
	Aggregator = "aggregator"
	Ingest     = "ingest"
	Redis      = "redis"
	Postgres   = "postgres"
	Everything = "everything"
)

// Kind is a kind of fault. A run has each kind at least once.
type Kind struct {
	Action Action
	Target string
	Moment proxy.Moment // of a cut
}

var moments = []string{proxy.Before: "before", proxy.During: "during", proxy.Promised: "promised but not done", proxy.Partly: "partly answered", proxy.After: "after"}

// String describes the kind.
func (k Kind) String() string {
	text := string(k.Action) + " " + k.Target
	if k.Action == Cut {
		text += ": " + moments[k.Moment]
	}
	return text
}

// Kinds returns all kinds.
func Kinds() []Kind {
	kinds := []Kind{
		{Action: Wipe, Target: Redis}, {Action: Fill, Target: Ingest}, {Action: Kill, Target: Everything},
		{Action: Sever, Target: Ingest}, {Action: Sever, Target: Aggregator},
		{Action: Drop, Target: Ingest}, {Action: Drop, Target: Aggregator},
		{Action: ReadOnly, Target: Postgres}, {Action: Damage, Target: Aggregator}, {Action: Slow, Target: Ingest},
	}
	for _, target := range []string{Aggregator, Ingest, Redis, Postgres} {
		kinds = append(kinds, Kind{Action: Kill, Target: target}, Kind{Action: Pause, Target: target})
	}
	for _, moment := range []proxy.Moment{proxy.Before, proxy.During, proxy.Partly, proxy.After} {
		kinds = append(kinds, Kind{Cut, Ingest, moment}, Kind{Cut, Aggregator, moment})
	}
	return append(kinds, Kind{Cut, Ingest, proxy.Promised}) // the aggregator commits by a COMMIT statement, which has no such moment
}

// Fault is one fault of a run.
type Fault struct {
	Kind
	At  time.Duration // since the start of the run
	For time.Duration // how long it lasts, if it does
}

// String describes the fault.
func (f Fault) String() string {
	text := fmt.Sprintf("%6.1fs  %s", f.At.Seconds(), f.Kind)
	if f.For > 0 {
		text += fmt.Sprintf(", for %.1fs", f.For.Seconds())
	}
	return text
}

const (
	// gap is the mean time between faults in a run that is long enough. Faults of different targets may overlap.
	gap = 3 * time.Second
	// long is the length of a run from which on Postgres may hang longer than ingest waits for a commit.
	long     = 2 * time.Minute
	longHang = 25 * time.Second
	// longSilence is longer than Postgres waits for a process that is frozen, or whose packets are lost, in a transaction.
	longSilence = 13 * time.Second
)

// Schedule returns the faults of a run in order: each kind once, and more as time permits.
func Schedule(seed uint64, duration time.Duration) []Fault {
	random := rand.New(rand.NewPCG(seed, 1<<40)) //nolint:gosec // to be repeated; apart from the numbers of clients
	kinds := Kinds()
	var faults []Fault
	for i := range max(len(kinds), int(duration/gap)) {
		kind := kinds[random.IntN(len(kinds))]
		if i < len(kinds) {
			kind = kinds[i]
		}
		f := Fault{Kind: kind, At: time.Second + time.Duration(random.Int64N(int64(duration)))}
		switch kind.Action {
		case Kill:
			f.For = draw(random, 100*time.Millisecond, 2500*time.Millisecond)
		case Pause, Drop, ReadOnly:
			f.For = draw(random, 500*time.Millisecond, 4*time.Second)
		case Slow:
			f.For = draw(random, 2*time.Second, 5*time.Second)
		default: // has no duration
		}
		if hangs := kind.Action == Pause || kind.Action == Drop; hangs && duration >= long && random.IntN(3) == 0 {
			f.For = longSilence
			if kind.Target == Postgres {
				f.For = longHang
			}
		}
		faults = append(faults, f)
	}
	slices.SortStableFunc(faults, func(a, b Fault) int { return cmp.Compare(a.At, b.At) })
	return faults
}

func draw(random *rand.Rand, low, high time.Duration) time.Duration {
	return low + time.Duration(random.Int64N(int64(high-low)))
}
