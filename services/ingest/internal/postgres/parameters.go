package postgres

import (
	"encoding/binary"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// parameters are those of a statement in the binary format of Postgres. pgx's own encoder takes a boxed value for each
// element of an array, which costs more than all the rest that ingest does for an event of a bulk request.
type parameters struct {
	data   []byte
	spans  []span
	single bool // arrays have one element and are sent as this element
}

// span is where a parameter is in the data. It begins at -1 if the parameter is NULL.
type span struct{ begin, end int }

const (
	arrayFlags = 1 // elements may be NULL
	null       = 1<<32 - 1
)

// epoch is where Postgres begins to count microseconds.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()

func (p *parameters) reset() { p.data, p.spans, p.single = p.data[:0], p.spans[:0], false }

// values returns the parameters. They are valid until the next change.
func (p *parameters) values() [][]byte {
	all := make([][]byte, len(p.spans))
	for i, s := range p.spans {
		if s.begin >= 0 {
			all[i] = p.data[s.begin:s.end:s.end]
		}
	}
	return all
}

func (p *parameters) bytes(value []byte) {
	begin := len(p.data)
	p.data = append(p.data, value...)
	p.spans = append(p.spans, span{begin, len(p.data)})
}

// array adds an array of n elements, of which element appends each with its length.
func (p *parameters) array(oid uint32, n int, element func(i int)) {
	begin := len(p.data)
	if p.single {
		p.value(element)
		return
	}
	const lowerBound = 1
	dimensions := min(n, 1)
	for _, word := range []uint32{uint32(dimensions), arrayFlags, oid, uint32(n), lowerBound}[:3+2*dimensions] {
		p.word(word)
	}
	for i := range n {
		element(i)
	}
	p.spans = append(p.spans, span{begin, len(p.data)})
}

// value adds the only element of an array without its length.
func (p *parameters) value(element func(i int)) {
	length := len(p.data)
	element(0)
	begin := length + 4
	if binary.BigEndian.Uint32(p.data[length:]) == null {
		begin = -1
	}
	p.spans = append(p.spans, span{begin, len(p.data)})
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

func (p *parameters) bytesElement(value []byte) {
	p.word(uint32(len(value)))
	p.data = append(p.data, value...)
}

func (p *parameters) int2Element(value int16) {
	p.word(2)
	p.data = binary.BigEndian.AppendUint16(p.data, uint16(value))
}

func (p *parameters) int4Element(value int32) {
	p.word(4)
	p.word(uint32(value))
}

func (p *parameters) int8Element(value int64) {
	p.word(8)
	p.data = binary.BigEndian.AppendUint64(p.data, uint64(value))
}

func (p *parameters) timeElement(value time.Time) { p.int8Element(value.UnixMicro() - epoch) }

// optionalElement adds bytes, or NULL for nil.
func (p *parameters) optionalElement(value []byte) {
	if value == nil {
		p.word(null)
		return
	}
	p.bytesElement(value)
}

// fill replaces the parameters by those of insertNew for a shape.
func (p *parameters) fill(f *flush, news []sighting, s shape) {
	p.reset()
	p.single = s.single
	rows, n := f.rows, len(f.rows)
	if !s.projects {
		p.bytes(binary.BigEndian.AppendUint16(nil, uint16(f.batches[0].project)))
		p.bytes(binary.BigEndian.AppendUint64(nil, uint64(f.batches[0].id)))
	}
	p.array(pgtype.TimestamptzOID, n, func(i int) { p.timeElement(rows[i].TS) })
	p.array(pgtype.UUIDOID, n, func(i int) { p.uuidElement(rows[i].ID) })
	p.array(pgtype.Int8OID, n, func(i int) { p.int8Element(rows[i].User) })
	p.array(pgtype.Int4OID, n, func(i int) {
		if rows[i].Product == 0 {
			p.word(null)
		} else {
			p.int4Element(rows[i].Product)
		}
	})
	p.array(pgtype.Int2OID, n, func(i int) { p.int2Element(rows[i].Name) })
	p.array(pgtype.TextOID, n, func(i int) { p.optionalElement(rows[i].Properties) })
	if s.projects {
		p.array(pgtype.Int2OID, n, func(i int) { p.int2Element(rows[i].Project) })
		p.array(pgtype.Int8OID, n, func(i int) { p.int8Element(f.batchOf[i]) })
	}
	p.single = !s.projects // one batch for each project
	p.fillBatches(f.batches)
	p.single = s.single
	if s.guesses {
		p.array(pgtype.Int4OID, len(f.guesses), func(i int) { p.int4Element(f.guesses[i].product) })
		p.array(pgtype.TextOID, len(f.guesses), func(i int) { p.textElement(f.guesses[i].sku) })
	}
	if s.seen {
		p.array(pgtype.Int2OID, len(news), func(i int) { p.int2Element(news[i].project) })
		p.array(pgtype.Int8OID, len(news), func(i int) { p.int8Element(news[i].user) })
		p.array(pgtype.TimestamptzOID, len(news), func(i int) { p.int8Element(news[i].micros - epoch) })
	}
}

func (p *parameters) fillBatches(batches []batch) {
	n := len(batches)
	p.array(pgtype.Int8OID, n, func(i int) { p.int8Element(batches[i].id) })
	p.array(pgtype.Int2OID, n, func(i int) { p.int2Element(batches[i].project) })
	p.array(pgtype.Int4OID, n, func(i int) { p.int4Element(int32(batches[i].rows)) })
	p.array(pgtype.TimestamptzOID, n, func(i int) { p.timeElement(batches[i].first) })
	p.array(pgtype.TimestamptzOID, n, func(i int) { p.timeElement(batches[i].last) })
	p.array(pgtype.ByteaOID, n, func(i int) { p.bytesElement(batches[i].facts) })
	p.array(pgtype.Int8OID, n, func(i int) { p.int8Element(batches[i].epoch) })
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
