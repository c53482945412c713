// Package erasure is what ingest knows of erasures: who asks for one, and what a receipt says. The aggregator does them.
package erasure

import (
	"time"

	"github.com/google/uuid"
)

// Request asks to forget a user of a project.
type Request struct {
	Project   int16
	Subject   string // a user id or an anonymous id
	Anonymous *bool  // which of the two; nil for the user id, or if there is none, the anonymous id
	By        string // who asks
}

// Receipt says how far an erasure is. It does not say whose it is.
type Receipt struct {
	ID          uuid.UUID
	State       string // waiting, running or done
	Phase       string
	Reached     *time.Time // the last day of the phase that is done
	HeldBy      []int64    // failed batches that it waits for
	Failing     bool       // the last attempt to go on failed
	RequestedBy string
	RequestedAt time.Time
	StartedAt   *time.Time
	FinishedAt  *time.Time
	Removed     map[string]int64 // rows, by table
	SketchDays  int64            // on how many days sketches stay as they were
}

// Kept is something that stays.
type Kept struct {
	What  string
	Count int64
	Why   string
}

// Kept lists what stays of what was of the user, and why.
func (r *Receipt) Kept() []Kept {
	all := []Kept{
		{"ingest.events", r.Removed["ingest.events"],
			"As rows of nobody, without properties: sums are made of them, and their ids keep a retry from being counted twice."},
		{"ingest.orders", r.Removed["ingest.orders"],
			"As orders of nobody, without properties: they are part of the books, and their ids keep a retry from being counted twice."},
		{"ingest.refunds", r.Removed["ingest.refunds"],
			"As refunds of nobody, without reasons: they are part of the books, and their ids keep a retry from being counted twice."},
		{"stats.daily_users, stats.product_daily_users, stats.name_daily_users", r.SketchDays,
			"Sketches of unique users of days whose raw rows had expired cannot be made again. A sketch holds neither ids nor numbers."},
	}
	kept := make([]Kept, 0, len(all))
	for _, k := range all {
		if k.Count > 0 {
			kept = append(kept, k)
		}
	}
	return kept
}
