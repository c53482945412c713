package exported_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/protocol/exported"
)

// export returns a file of two lines and its receipt.
func export(t *testing.T) (string, exported.Receipt) {
	t.Helper()
	var file strings.Builder
	sum := exported.NewSum()
	for _, line := range []string{`{"kind":"user","user":{"user_id":"ada"}}`, `{"kind":"event","event":{"type":"view"}}`} {
		kind := exported.User
		if strings.Contains(line, `"event"`) {
			kind = exported.Event
		}
		sum.Add(kind, []byte(line))
		fmt.Fprintln(&file, line)
	}
	receipt := exported.Receipt{ID: uuid.New(), RequestedBy: "key:1", SnapshotAt: time.Date(2026, 3, 14, 9, 0, 0, 0, time.UTC)}
	sum.Fill(&receipt)
	last, err := json.Marshal(map[string]any{"kind": exported.Last, "receipt": receipt})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(&file, string(last))
	return file.String(), receipt
}

func TestACompleteExportIsVerified(t *testing.T) {
	t.Parallel()
	file, want := export(t)
	got, err := exported.Verify(strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := got.Matches(want); err != nil {
		t.Errorf("the receipt that was kept: %v", err)
	}
	want.RequestedBy = "key:2"
	if err := got.Matches(want); !errors.Is(err, exported.ErrChanged) {
		t.Errorf("a receipt of somebody else: %v", err)
	}
}

// Every cut, and every change of a byte of a line, is found.
func TestEveryCutAndChangeIsFound(t *testing.T) {
	t.Parallel()
	file, _ := export(t)
	lines := strings.SplitAfter(strings.TrimSuffix(file, "\n"), "\n")
	before := len(lines[0]) + len(lines[1])
	for n := range len(file) - 1 { // the line break after the receipt may be missing
		if _, err := exported.Verify(strings.NewReader(file[:n])); err == nil {
			t.Fatalf("%d of %d bytes seem to be complete", n, len(file))
		}
	}
	if _, err := exported.Verify(strings.NewReader(file[:before])); !errors.Is(err, exported.ErrCut) {
		t.Errorf("without the receipt: %v", err)
	}
	for n := range before {
		changed := []byte(file)
		changed[n] ^= 1
		if _, err := exported.Verify(strings.NewReader(string(changed))); err == nil {
			t.Fatalf("byte %d was changed, and nobody sees it", n)
		}
	}
	for name, changed := range map[string]string{
		"a line is missing":      lines[0] + lines[2],
		"lines are swapped":      lines[1] + lines[0] + lines[2],
		"a line twice":           lines[0] + lines[0] + lines[1] + lines[2],
		"a line after the end":   file + lines[0],
		"an empty line in front": "\n" + file,
		"other line breaks":      strings.ReplaceAll(file, "\n", "\r\n"),
	} {
		if _, err := exported.Verify(strings.NewReader(changed)); err == nil {
			t.Errorf("%s, and nobody sees it", name)
		}
	}
}
