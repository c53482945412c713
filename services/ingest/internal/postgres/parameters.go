package postgres

import (
	"encoding/binary"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// parameters are those of a statement in the binary format of Postgres. pgx's own encoder takes a boxed value for each
// element of an array, which costs more than all the rest that ingest does for an event of a bulk request.
type parameters struct {
	data []byte
	ends []int // of each parameter in data
}

const (
	arrayFlags   = 1 // elements may be NULL
	jsonbVersion = 1 // of the binary format of jsonb, which is this byte and the text
	null         = 1<<32 - 1
)

// epoch is where Postgres begins to count microseconds.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()

func (p *parameters) reset() { p.data, p.ends = p.data[:0], p.ends[:0] }

// end ends a parameter.
func (p *parameters) end() { p.ends = append(p.ends, len(p.data)) }

// values returns the parameters. They are valid until the next change.
func (p *parameters) values() [][]byte {
	all, begin := make([][]byte, len(p.ends)), 0
	for i, end := range p.ends {
		all[i], begin = p.data[begin:end:end], end
	}
	return all
}

func (p *parameters) bytes(value []byte) {
	p.data = append(p.data, value...)
	p.end()
}

func (p *parameters) int8(value int64) {
	p.data = binary.BigEndian.AppendUint64(p.data, uint64(value))
	p.end()
}

func (p *parameters) time(value time.Time) { p.int8(value.UnixMicro() - epoch) }

// array adds an array of n elements, of which element appends each with its length.
func (p *parameters) array(oid uint32, n int, element func(i int)) {
	const lowerBound = 1
	dimensions := min(n, 1)
	for _, word := range []uint32{uint32(dimensions), arrayFlags, oid, uint32(n), lowerBound}[:3+2*dimensions] {
		p.word(word)
	}
	for i := range n {
		element(i)
	}
	p.end()
}

func (p *parameters) word(value uint32) { p.data = binary.BigEndian.AppendUint32(p.data, value) }

func (p *parameters) uuidElement(value [16]byte) {
	p.word(uint32(len(value)))
	p.data = append(p.data, value[:]...)
}

func (p *parameters) textElement(value string) {
	p.word(uint32(len(value)))
	p.data = append(p.data, value...)
}

func (p *parameters) int8Element(value int64) {
	p.word(8)
	p.data = binary.BigEndian.AppendUint64(p.data, uint64(value))
}

func (p *parameters) jsonbElement(value []byte) {
	if value == nil {
		p.word(null)
		return
	}
	p.word(uint32(1 + len(value)))
	p.data = append(append(p.data, jsonbVersion), value...)
}

// fill replaces the parameters by those of insertNew.
func (p *parameters) fill(batch uuid.UUID, kind string, events []*event.Event) {
	p.reset()
	p.bytes(batch[:])
	p.bytes([]byte(kind))
	n := len(events)
	p.array(pgtype.Int8OID, n, func(i int) { p.int8Element(events[i].Owner) })
	p.array(pgtype.TimestamptzOID, n, func(i int) { p.int8Element(events[i].TS.UnixMicro() - epoch) })
	p.array(pgtype.UUIDOID, n, func(i int) { p.uuidElement(events[i].ID) })
	p.array(pgtype.UUIDOID, n, func(i int) { p.uuidElement(events[i].ProductID) })
	p.array(pgtype.TextOID, n, func(i int) { p.textElement(events[i].UserID) })
	p.array(pgtype.TextOID, n, func(i int) { p.textElement(events[i].Type) })
	p.array(pgtype.JSONBOID, n, func(i int) { p.jsonbElement(events[i].Properties) })
	first, last := span(timesOf(events))
	p.int8(int64(n))
	p.time(first)
	p.time(last)
	g := newGuesses(events)
	p.array(pgtype.UUIDOID, len(g.product), func(i int) { p.uuidElement(g.product[i]) })
	p.array(pgtype.TextOID, len(g.sku), func(i int) { p.textElement(g.sku[i]) })
}

// maxKept bounds the memory of parameters that are kept: usual flushes fit, rare ones with large properties do not stay.
const maxKept = 2 << 20

// parameterPool keeps parameters for further use.
type parameterPool struct{ pool sync.Pool }

// Get returns parameters with any content.
func (p *parameterPool) Get() *parameters {
	if b, ok := p.pool.Get().(*parameters); ok {
		return b
	}
	return new(parameters)
}

// Put takes parameters back.
func (p *parameterPool) Put(b *parameters) {
	if cap(b.data) <= maxKept {
		p.pool.Put(b)
	}
}
