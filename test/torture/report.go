package main

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/hp-analytics/hp-analytics/test/torture/internal/check"
	"github.com/hp-analytics/hp-analytics/test/torture/internal/fault"
)

// unexercised returns what the run should have met and has not: without it the run proves little.
func (t *trial) unexercised(counts map[fault.Kind]int) (findings []string) {
	for _, kind := range fault.Kinds() {
		if counts[kind] == 0 {
			findings = append(findings, fmt.Sprintf("no fault of this kind: %s", kind))
		}
	}
	for _, name := range []string{"acknowledged", "retries", "503 overloaded", "503 database_unavailable", "lost connections", "answers with duplicates", "refused"} {
		if t.traffic.Count(name) == 0 {
			findings = append(findings, "the clients never met: "+name)
		}
	}
	return findings
}

// summarize prints the counts of the run.
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
	t.print("Checked: %d events, %d orders, %d refunds, %d receipts. %d wake-up tasks were archived; other tasks folded their batches.",
		r.Events, r.Orders, r.Refunds, r.Batches, r.Archived)
}

// shown bounds the number of findings that are printed.
const shown = 50

func verdict(out io.Writer, findings []string) error {
	if len(findings) == 0 {
		_, _ = fmt.Fprintln(out, "Every acknowledged id is stored once, every number is right, and no work is left.")
		return nil
	}
	for _, f := range findings[:min(shown, len(findings))] {
		_, _ = fmt.Fprintln(out, "WRONG:", f)
	}
	return fmt.Errorf("the platform broke its guarantees: %d findings", len(findings))
}
