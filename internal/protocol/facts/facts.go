// Package facts is the format in which a batch carries what its rows count (ingest.batches.facts): ingest writes it in the
// statement that stores the rows, and a fold reads it instead of the rows.
//
// A batch is a header and one record for each of its rows, in any order. Each record can be encoded alone, so a statement that
// finds out which rows are new can put the records of these together. Numbers are varints (encoding/binary), and times are
// microseconds since the base in the header, so an event takes some 10 bytes.
package facts

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// version is the first byte of a batch. Another format has another version.
const version = 1

// Event is what an event counts.
type Event struct {
	TS      time.Time
	User    int64 // ingest.users.n
	Product int32 // catalog.products.n; 0 for none
	Name    int16 // ingest.names.n
}

// Line is what a line of an order or of a refund counts.
type Line struct {
	TS          time.Time // of the order or of the refund
	User        int64
	Product     int32
	Currency    [3]byte // ISO 4217 code
	Units       int64   // bought, or returned
	AmountMinor int64   // paid, or paid back
	First       bool    // the first line of its order or refund
	FirstOf     bool    // the first line of its order or refund with this product
}

// AppendHeader begins a batch. base is near the times of its records; it is truncated to microseconds.
func AppendHeader(data []byte, base time.Time) []byte {
	return binary.AppendVarint(append(data, version), base.UnixMicro())
}

// AppendEvent adds the record of an event to a batch with the given base.
func AppendEvent(data []byte, base time.Time, e Event) []byte {
	data = binary.AppendVarint(data, e.TS.UnixMicro()-base.UnixMicro())
	data = binary.AppendUvarint(data, uint64(e.User))
	data = binary.AppendUvarint(data, uint64(e.Product))
	return binary.AppendUvarint(data, uint64(e.Name))
}

// The bits of a line.
const (
	bitFirst   = 1
	bitFirstOf = 2
)

// AppendLine adds the record of a line to a batch with the given base.
func AppendLine(data []byte, base time.Time, l Line) []byte {
	data = binary.AppendVarint(data, l.TS.UnixMicro()-base.UnixMicro())
	data = binary.AppendUvarint(data, uint64(l.User))
	data = binary.AppendUvarint(data, uint64(l.Product))
	data = append(data, l.Currency[:]...)
	data = binary.AppendUvarint(data, uint64(l.Units))
	data = binary.AppendUvarint(data, uint64(l.AmountMinor))
	var bits byte
	if l.First {
		bits |= bitFirst
	}
	if l.FirstOf {
		bits |= bitFirstOf
	}
	return append(data, bits)
}

// ErrDamaged is the error of data that no writer has written.
var ErrDamaged = errors.New("the facts of the batch are damaged")

// Reader reads the records of a batch one after the other.
type Reader struct {
	data []byte
	base int64
	err  error
}

// NewReader returns a reader of a batch.
func NewReader(data []byte) (*Reader, error) {
	if len(data) == 0 || data[0] != version {
		return nil, fmt.Errorf("%w: no header of version %d", ErrDamaged, version)
	}
	r := &Reader{data: data[1:]}
	r.base = r.varint()
	return r, r.err
}

// Event reads the next event. It returns false at the end and after an error.
func (r *Reader) Event(e *Event) bool {
	if r.err != nil || len(r.data) == 0 {
		return false
	}
	e.TS = time.UnixMicro(r.base + r.varint()).UTC()
	e.User, e.Product, e.Name = int64(r.uvarint(1<<63-1)), int32(r.uvarint(1<<31-1)), int16(r.uvarint(1<<15-1))
	return r.err == nil
}

// Line reads the next line. It returns false at the end and after an error.
func (r *Reader) Line(l *Line) bool {
	if r.err != nil || len(r.data) == 0 {
		return false
	}
	l.TS = time.UnixMicro(r.base + r.varint()).UTC()
	l.User, l.Product = int64(r.uvarint(1<<63-1)), int32(r.uvarint(1<<31-1))
	copy(l.Currency[:], r.bytes(len(l.Currency)))
	l.Units, l.AmountMinor = int64(r.uvarint(1<<63-1)), int64(r.uvarint(1<<63-1))
	bits := r.bytes(1)
	if r.err != nil {
		return false
	}
	l.First, l.FirstOf = bits[0]&bitFirst != 0, bits[0]&bitFirstOf != 0
	return true
}

// Err returns the error that ended the reading, or nil at the end of the batch.
func (r *Reader) Err() error { return r.err }

func (r *Reader) varint() int64 {
	value, n := binary.Varint(r.data)
	r.take(n)
	return value
}

// uvarint reads a number that is at most most.
func (r *Reader) uvarint(most uint64) uint64 {
	value, n := binary.Uvarint(r.data)
	r.take(n)
	if value > most {
		r.fail("a number is too large")
		return 0
	}
	return value
}

func (r *Reader) bytes(n int) []byte {
	if len(r.data) < n {
		r.fail("it ends within a record")
		return make([]byte, n)
	}
	taken := r.data[:n]
	r.data = r.data[n:]
	return taken
}

// take moves on by the n bytes that a number took; no number takes 0 or fewer.
func (r *Reader) take(n int) {
	if n <= 0 {
		r.fail("it ends within a number")
		return
	}
	r.data = r.data[n:]
}

func (r *Reader) fail(why string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrDamaged, why)
	}
	r.data = nil
}
