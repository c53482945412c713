package postgres

import (
	"encoding/binary"
	"math"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// copyBuffer holds rows of ingest.events in the binary format of COPY. pgx's own encoder takes a boxed value for each
// field, which costs more than all the rest that ingest does for an event of a bulk request.
// Source: https://www.postgresql.org/docs/15/sql-copy.html, "Binary Format".
type copyBuffer struct{ data []byte }

const (
	copySignature = "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00" // with no flags and no header extension
	copyFields    = 8
	jsonbVersion  = 1 // of the binary format of jsonb, which is this byte and the text
)

// epoch is where Postgres begins to count microseconds.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()

// fill replaces the content by events of a batch, in the order owner, ts, id, product_id, batch_id, user_id, type, properties.
func (b *copyBuffer) fill(batch uuid.UUID, events []*event.Event) {
	b.data = append(b.data[:0], copySignature...)
	for _, e := range events {
		b.data = binary.BigEndian.AppendUint16(b.data, copyFields)
		b.data = binary.BigEndian.AppendUint32(b.data, 8)
		b.data = binary.BigEndian.AppendUint64(b.data, uint64(e.Owner))
		b.data = binary.BigEndian.AppendUint32(b.data, 8)
		b.data = binary.BigEndian.AppendUint64(b.data, uint64(e.TS.UnixMicro()-epoch))
		b.field(e.ID[:])
		b.field(e.ProductID[:])
		b.field(batch[:])
		b.text(e.UserID)
		b.text(e.Type)
		b.jsonb(e.Properties)
	}
	b.data = binary.BigEndian.AppendUint16(b.data, math.MaxUint16) // -1: the end
}

func (b *copyBuffer) field(value []byte) {
	b.length(len(value))
	b.data = append(b.data, value...)
}

func (b *copyBuffer) text(value string) {
	b.length(len(value))
	b.data = append(b.data, value...)
}

func (b *copyBuffer) jsonb(value []byte) {
	if value == nil {
		b.data = binary.BigEndian.AppendUint32(b.data, math.MaxUint32) // -1: NULL
		return
	}
	b.length(1 + len(value))
	b.data = append(append(b.data, jsonbVersion), value...)
}

func (b *copyBuffer) length(n int) {
	b.data = binary.BigEndian.AppendUint32(b.data, uint32(n))
}

// maxKept bounds the memory of a buffer that is kept: usual flushes fit, rare ones with large properties do not stay.
const maxKept = 2 << 20

// copyBuffers keeps buffers for further use.
type copyBuffers struct{ pool sync.Pool }

// Get returns a buffer with any content.
func (p *copyBuffers) Get() *copyBuffer {
	if b, ok := p.pool.Get().(*copyBuffer); ok {
		return b
	}
	return new(copyBuffer)
}

// Put takes a buffer back.
func (p *copyBuffers) Put(b *copyBuffer) {
	if cap(b.data) <= maxKept {
		p.pool.Put(b)
	}
}
