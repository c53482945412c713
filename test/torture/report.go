package main

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/hp-analytics/hp-analytics/test/torture/internal/check"
	"github.com/hp-analytics/hp-analytics/test/torture/internal/fault"
)

// idle finds what a run must have seen to prove anything.
func (t *trial) idle(counts map[fault.Kind]int) (findings []string) {
	for _, kind := range fault.Kinds() {
		if counts[kind] == 0 {
			findings = append(findings, fmt.Sprintf("no fault of this kind: %s", kind))
		}
	}
	for _, name := range []string{"acknowledged", "retries", "503 overloaded", "503 database_unavailable", "lost connections", "answers with duplicates", "refused"} {
		if t.traffic.Count(name) == 0 {
			findings = append(findings, "the clients have never seen this: "+name)
		}
	}
	return findings
}

// summarize prints what has happened.
func (t *trial) summarize(counts map[fault.Kind]int, r check.Report) {
	t.print("\nFaults:")
	for _, kind := range fault.Kinds() {
		t.print("%6d  %s", counts[kind], kind)
	}
	t.print("Clients:")
	seen := t.traffic.Counts()
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		t.print("%6d  %s", seen[name], name)
	}
	t.print("Checked: %d events, %d purchases, %d receipts. %d wake-up calls were given up; their batches are folded by others.",
		r.Events, r.Purchases, r.Batches, r.Archived)
}

// shown bounds the findings that are printed.
const shown = 50

func verdict(out io.Writer, findings []string) error {
	if len(findings) == 0 {
		_, _ = fmt.Fprintln(out, "Every acknowledged id is there once, every number is right, nothing is left to do.")
		return nil
	}
	for _, f := range findings[:min(shown, len(findings))] {
		_, _ = fmt.Fprintln(out, "WRONG:", f)
	}
	return fmt.Errorf("the platform has not kept its promises: %d findings", len(findings))
}
