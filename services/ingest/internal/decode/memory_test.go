package decode

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// hollow returns a body of refused lines with empty ones between: as many as there may be, filled up to size bytes.
func hollow(size int) string {
	var body strings.Builder
	for i := range event.MaxBatch {
		fill := max(0, size*(i+1)/event.MaxBatch-body.Len()-40)
		switch i % 4 {
		case 0:
			body.WriteString(strings.Repeat(" \n", fill/2) + "7\n") // no object
		case 1:
			body.WriteString(`{"type":` + strings.Repeat(" ", fill/2) + strings.Repeat("\n", fill/2) + "\n") // no JSON
		case 2:
			body.WriteString(`{"properties":"` + strings.Repeat("x", fill) + "\"}\n") // no properties
		default:
			body.WriteString(`{"properties":{"a":"` + strings.Repeat("x", fill) + "\"},\"type\":1}\n") // good ones, and refused
		}
	}
	return body.String()
}

// measure decodes a body and returns what was allocated for it, what is kept of it, and the most that was held.
func measure(t *testing.T, lines *Lines, body string) (allocated, kept, most int) {
	t.Helper()
	source := &counted{Reader: strings.NewReader(body), room: 1 << 20}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	drafts, err := lines.Events(source)
	runtime.ReadMemStats(&after)
	if err != nil || len(drafts) != event.MaxBatch {
		t.Fatalf("%d bytes: %d drafts, %v", len(body), len(drafts), err)
	}
	for i, d := range drafts {
		if !d.Refused() {
			t.Fatalf("line %d is not refused", i)
		}
	}
	return int(after.TotalAlloc - before.TotalAlloc), source.kept, source.most
}

// TestMemoryIsIndependentOfBodySize is not parallel: it measures what is allocated.
func TestMemoryIsIndependentOfBodySize(t *testing.T) {
	var lines Lines
	small, large := hollow(64<<10), hollow(event.MaxBatchBytes)
	if len(small) > 100<<10 || len(large) < event.MaxBatchBytes*9/10 {
		t.Fatalf("%d and %d bytes do not compare", len(small), len(large))
	}
	measure(t, &lines, small) // from here on there is a buffer
	allocated, kept, most := measure(t, &lines, small)
	moreAllocated, moreKept, moreMost := measure(t, &lines, large)
	if moreKept > kept+kept/50 || moreMost > most+most/50 {
		t.Errorf("kept %d (at most %d) of %d bytes, %d (at most %d) of %d", kept, most, len(small), moreKept, moreMost, len(large))
	}
	if moreAllocated > allocated+64<<10 {
		t.Errorf("%d bytes were allocated for a body of %d, %d for one of %d", allocated, len(small), moreAllocated, len(large))
	}
	if allocated > 3*kept {
		t.Errorf("%d bytes were allocated, only %d accounted for", allocated, kept)
	}
	blank := strings.Repeat("\n", event.MaxBatchBytes-20) + `{"type":"view"}`
	source := &counted{Reader: strings.NewReader(blank), room: lineBuffer + 16<<10}
	if drafts, err := lines.Events(source); err != nil || len(drafts) != 1 || source.kept > 8<<10 {
		t.Errorf("one event after %d empty lines: %d drafts, %v, %d bytes kept", len(blank), len(drafts), err, source.kept)
	}
}

// What is accepted counts with what it keeps, and is refused as a whole when that does not fit.
func TestWhatIsKeptIsAccountedFor(t *testing.T) {
	t.Parallel()
	body := bytes.Join(session(), []byte("\n"))
	source := &counted{Reader: bytes.NewReader(body), room: 1 << 20}
	drafts, err := new(Lines).Events(source)
	if err != nil {
		t.Fatal(err)
	}
	least := cap(drafts) * draftSize
	for _, d := range drafts {
		least += len(d.Properties)
	}
	if source.kept < least || source.kept > least+64<<10 {
		t.Errorf("%d bytes are accounted for, at least %d are kept", source.kept, least)
	}
	for _, room := range []int{0, lineBuffer, least} {
		short := &counted{Reader: bytes.NewReader(body), room: room}
		if _, err := new(Lines).Events(short); !errors.Is(err, errFull) {
			t.Errorf("%d bytes of room: got %v", room, err)
		}
	}
	long := fmt.Sprintf(`{"type":"view",%s"properties":{}}`, strings.Repeat(`"unknown_`+strings.Repeat("x", 90)+`":1,`, 30))
	refused := &counted{Reader: strings.NewReader(strings.Repeat(long+"\n", 100)), room: 1 << 20}
	drafts, err = new(Lines).Events(refused)
	texts := 0
	for _, d := range drafts {
		for _, p := range d.Problems {
			texts += len(p.Pointer) + len(p.Detail)
		}
	}
	if err != nil || texts == 0 || refused.kept < texts {
		t.Errorf("%d bytes are accounted for, the problems alone take %d: %v", refused.kept, texts, err)
	}
}

// TestTextsThatRepeatAreShared is not parallel: it counts allocations.
func TestTextsThatRepeatAreShared(t *testing.T) {
	body := bytes.Join(session(), []byte("\n"))
	var lines Lines
	each := testing.AllocsPerRun(5, func() {
		if _, err := lines.Events(&counted{Reader: bytes.NewReader(body), room: 1 << 30}); err != nil {
			t.Fatal(err)
		}
	})
	if each > event.MaxBatch/2 {
		t.Errorf("%v allocations for %d events", each, event.MaxBatch)
	}
	// And they are what they were, whatever meets in the table.
	var n names
	for i := range 5000 {
		text := fmt.Sprintf("customer-%d", i%1700)
		if got := n.string([]byte(text)); got != text {
			t.Fatalf("got %q, want %q", got, text)
		}
	}
	long := strings.Repeat("x", maxName+1)
	if got := n.string([]byte(long)); got != long {
		t.Errorf("got %q, want %q", got, long)
	}
}

func TestKeptPropertiesAreTheirOwn(t *testing.T) {
	t.Parallel()
	reader, writer := io.Pipe()
	go func() {
		for i := range 500 {
			fmt.Fprintf(writer, "{\"type\":\"a\",\"properties\":{\"n\":\"%0*d\"}}\n", i*7, i)
		}
		writer.Close()
	}()
	drafts, err := ndjson(reader)
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range drafts {
		if want := fmt.Sprintf(`{"n":"%0*d"}`, i*7, i); string(d.Properties) != want {
			t.Fatalf("line %d: properties %s, want %s", i, d.Properties, want)
		}
		_ = append(d.Properties, "overwritten"...) // must not reach the next one's
	}
}
