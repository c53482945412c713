package decode

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// session returns the lines of a full batch as a shop's backend sends them: some users, many products, properties.
func session() [][]byte {
	lines := make([][]byte, event.MaxBatch)
	for i := range lines {
		lines[i] = fmt.Appendf(nil, `{"id":"0195a3f4-11d2-7c9e-a6f0-%012x","ts":"2026-03-14T09:%02d:53.120Z","type":"%s","sku":"SHOE-TRAIL-%d","user_id":"customer-%d","properties":{"page":"/shoes/%d","referrer":"search"}}`,
			i, i%60, [...]string{"view", "click", "wishlist.add"}[i%3], i%97, i%41, i)
	}
	return lines
}

func BenchmarkBulk(b *testing.B) {
	body := append(append([]byte(`{"events":[`), bytes.Join(session(), []byte(","))...), `]}`...)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Bulk(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNDJSON(b *testing.B) {
	body, lines := bytes.Join(session(), []byte("\n")), new(Lines)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := lines.Events(&counted{Reader: bytes.NewReader(body), room: 1 << 30}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEvent(b *testing.B) {
	body := session()[0]
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Event(body); err != nil {
			b.Fatal(err)
		}
	}
}
