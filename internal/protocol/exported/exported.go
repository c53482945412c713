// Package exported is what an export of a user looks like: lines of JSON, of which the last one is a receipt of the others. Ingest
// writes it, and whoever has the file verifies it.
package exported

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"maps"
	"time"

	"github.com/google/uuid"
)

// Kind says what a line is.
type Kind string

// The kinds of lines, in the order in which they are written.
const (
	User    Kind = "user"
	Event   Kind = "event"
	Order   Kind = "order"
	Refund  Kind = "refund"
	Day     Kind = "day"
	Money   Kind = "money"
	Erasure Kind = "erasure"
	LeftOut Kind = "left_out"
	Last    Kind = "receipt"
)

// Receipt is what the last line says.
type Receipt struct {
	ID          uuid.UUID      `json:"id"`
	RequestedBy string         `json:"requested_by"`
	SnapshotAt  time.Time      `json:"snapshot_at"`
	Lines       int64          `json:"lines"` // before it
	Counts      map[Kind]int64 `json:"counts"`
	SHA256      string         `json:"sha256"` // of the lines before it with their line breaks, in hexadecimal digits
}

// Sum is what a receipt says of the lines that were added to it. It is not safe for concurrent use.
type Sum struct {
	hash   hash.Hash
	lines  int64
	counts map[Kind]int64
}

// NewSum returns the sum of no lines.
func NewSum() *Sum { return &Sum{hash: sha256.New(), counts: map[Kind]int64{}} }

var lineBreak = []byte{'\n'}

// Add adds a line, without its line break.
func (s *Sum) Add(kind Kind, line []byte) {
	s.hash.Write(line)
	s.hash.Write(lineBreak)
	s.lines++
	s.counts[kind]++
}

// Fill sets what a receipt says of the lines.
func (s *Sum) Fill(r *Receipt) {
	r.Lines, r.Counts, r.SHA256 = s.lines, maps.Clone(s.counts), hex.EncodeToString(s.hash.Sum(nil))
}
