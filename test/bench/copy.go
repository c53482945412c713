package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"golang.org/x/sync/errgroup"

	"github.com/hp-analytics/hp-analytics/internal/stats"
	"github.com/hp-analytics/hp-analytics/test/bench/internal/usage"
)

// rawCopy measures Postgres alone with the same rows: COPY into ingest.events, size rows at a time, on two connections, with
// a commit each. The rows have no batch, so they are never folded.
func (b *bench) rawCopy(ctx context.Context, size int) ([]row, error) {
	p := b.platform
	columns, err := p.eventColumns(ctx)
	if err != nil {
		return nil, err
	}
	s := newSubject(p.Databases, map[string][]int{}, 0)
	if err := s.checkpoint(ctx); err != nil {
		return nil, err
	}
	copies := make([]*copyData, 2)
	for i := range copies {
		if copies[i], err = encodeRows(i*size, size, columns); err != nil {
			return nil, err
		}
	}
	if _, err := p.copyAll(ctx, copies, warmUp(b.duration)); err != nil {
		return nil, err
	}
	before, own, begin := s.cpu(), usage.OwnCPU(), time.Now()
	n, err := p.copyAll(ctx, copies, b.duration)
	if err != nil {
		return nil, err
	}
	r := workRow("raw: COPY of "+thousands(float64(size)), n, time.Since(begin), before, s.cpu())
	r.load = float64((usage.OwnCPU() - own).Microseconds()) / float64(max(1, n))
	return []row{r}, nil
}

// copyAll copies each set of rows again and again, on a connection of its own, and returns the number of rows.
func (p *platform) copyAll(ctx context.Context, copies []*copyData, lasts time.Duration) (n int, err error) {
	counts := make([]int, len(copies))
	var group errgroup.Group
	for i, data := range copies {
		group.Go(func() (err error) {
			counts[i], err = p.copyFor(ctx, data, lasts)
			return err
		})
	}
	err = group.Wait()
	for _, count := range counts {
		n += count
	}
	return n, err
}

// copyFor copies the same rows again and again on one connection and returns the number of rows.
func (p *platform) copyFor(ctx context.Context, data *copyData, lasts time.Duration) (n int, err error) {
	conn, err := p.DB.Acquire(ctx)
	if err != nil {
		return 0, fmt.Errorf("connect to Postgres: %w", err)
	}
	defer conn.Release()
	for begin := time.Now(); time.Since(begin) < lasts; {
		data.renew(time.Now())
		tag, err := conn.Conn().PgConn().CopyFrom(ctx, bytes.NewReader(data.buffer), data.sql)
		if err != nil {
			return 0, fmt.Errorf("copy: %w", err)
		}
		n += int(tag.RowsAffected())
	}
	return n, nil
}

// column is a column of ingest.events.
type column struct {
	Name string
	OID  uint32
}

// eventColumns returns the columns of ingest.events that a writer fills.
func (p *platform) eventColumns(ctx context.Context) ([]column, error) {
	rows, err := p.DB.Query(ctx, `
		SELECT attname, atttypid FROM pg_attribute
		WHERE attrelid = 'ingest.events'::regclass AND attnum > 0 AND NOT attisdropped
		  AND (NOT atthasdef OR attname = ANY($1))
		ORDER BY attnum`, []string{"project", "id", "ts", "product", "user_n", "name", "properties", "batch"})
	if err != nil {
		return nil, fmt.Errorf("list the columns of events: %w", err)
	}
	columns, err := pgx.CollectRows(rows, pgx.RowToStructByPos[column])
	if err != nil {
		return nil, fmt.Errorf("list the columns of events: %w", err)
	}
	return columns, nil
}

// copyData holds rows in the binary format of COPY. They are encoded once, and the values that must differ are renewed in
// place, because the work of the client is not part of the measurement.
type copyData struct {
	sql    string
	buffer []byte
	places map[string][]int // offsets of the values, by column
	batch  int64            // negative, as no batch of ingest is
}

const signature = "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// encodeRows encodes rows. Columns that it does not know are NULL.
func encodeRows(from, size int, columns []column) (*copyData, error) {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = pgx.Identifier{c.Name}.Sanitize()
	}
	d := &copyData{
		sql:    `COPY ingest.events (` + strings.Join(names, ", ") + `) FROM STDIN BINARY`,
		buffer: []byte(signature), places: map[string][]int{},
	}
	types, now := pgtype.NewMap(), time.Now()
	for k := from; k < from+size; k++ {
		name, _ := stats.NameOf(typeOf(k))
		values := map[string]any{
			"project": int16(1), "id": pgtype.UUID{Valid: true}, "ts": now, "batch": int64(0),
			"product": int32(1 + productOf(k)), "user_n": int64(1 + userOf(k)), "name": name, "properties": properties(k),
		}
		d.buffer = binary.BigEndian.AppendUint16(d.buffer, uint16(len(columns)))
		for _, c := range columns {
			if err := d.append(types, c, values[c.Name]); err != nil {
				return nil, err
			}
		}
	}
	d.buffer = append(d.buffer, 0xff, 0xff)
	return d, nil
}

// append encodes one value after its length, which is -1 for NULL.
func (d *copyData) append(types *pgtype.Map, c column, value any) error {
	at := len(d.buffer)
	d.buffer = append(d.buffer, 0xff, 0xff, 0xff, 0xff)
	if value == nil {
		return nil
	}
	encoded, err := types.Encode(c.OID, pgx.BinaryFormatCode, value, d.buffer)
	if err != nil {
		return fmt.Errorf("encode %s: %w", c.Name, err)
	}
	d.buffer = encoded
	binary.BigEndian.PutUint32(d.buffer[at:], uint32(len(d.buffer)-at-4))
	d.places[c.Name] = append(d.places[c.Name], at+4)
	return nil
}

// renew gives every row a new id, and all rows a new batch and the current time, as ingest does.
func (d *copyData) renew(now time.Time) {
	for _, at := range d.places["id"] {
		id := uuid.Must(uuid.NewV7())
		copy(d.buffer[at:], id[:])
	}
	d.batch--
	for _, at := range d.places["batch"] {
		binary.BigEndian.PutUint64(d.buffer[at:], uint64(d.batch))
	}
	const epoch = 946684800 * 1_000_000 // 2000-01-01, the epoch of timestamps in Postgres
	for _, at := range d.places["ts"] {
		binary.BigEndian.PutUint64(d.buffer[at:], uint64(now.UnixMicro()-epoch))
	}
}
