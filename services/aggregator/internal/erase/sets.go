package erase

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/locks"
)

// chunkBits is how many bits of a user's number are its place in a chunk of stats.daily_user_sets.
const chunkBits = 16

// storedSet is a row of stats.daily_user_sets.
type storedSet struct {
	chunk int32
	lane  int16
	users []byte
}

// forgetSets removes the users from the sets of a day. Only the holder of a lane writes its rows, so it takes the lanes first, before
// any lock for which a fold could wait.
func (p *pass) forgetSets(ctx context.Context, tx pgx.Tx, day time.Time) error {
	byChunk := map[int32][]uint32{}
	var chunks []int32
	for _, n := range p.numbers {
		c := int32(n >> chunkBits)
		if byChunk[c] == nil {
			chunks = append(chunks, c)
		}
		byChunk[c] = append(byChunk[c], uint32(n&(1<<chunkBits-1)))
	}
	const lanes = `SELECT DISTINCT lane FROM stats.daily_user_sets WHERE project = $1 AND day = $2 AND chunk = ANY($3) ORDER BY lane`
	rows, err := tx.Query(ctx, lanes, p.project, day, chunks)
	if err != nil {
		return fmt.Errorf("list lanes: %w", err)
	}
	held, err := pgx.CollectRows(rows, pgx.RowTo[int16])
	if err != nil {
		return fmt.Errorf("list lanes: %w", err)
	}
	for _, lane := range held {
		lock := locks.Lane(lane)
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1, $2)`, lock.Class(), lock.ID()); err != nil {
			return fmt.Errorf("take a lane: %w", err)
		}
	}
	const stored = `SELECT chunk, lane, users FROM stats.daily_user_sets WHERE project = $1 AND day = $2 AND chunk = ANY($3) AND lane = ANY($4)`
	if rows, err = tx.Query(ctx, stored, p.project, day, chunks, held); err != nil {
		return fmt.Errorf("read sets of users: %w", err)
	}
	sets, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (s storedSet, err error) {
		err = row.Scan(&s.chunk, &s.lane, &s.users)
		return s, err
	})
	if err != nil {
		return fmt.Errorf("read sets of users: %w", err)
	}
	for _, s := range sets {
		if err := s.forget(ctx, tx, p.project, day, byChunk[s.chunk]); err != nil {
			return err
		}
	}
	return nil
}

// forget removes users from a set. A set of nobody is no row.
func (s storedSet) forget(ctx context.Context, tx pgx.Tx, project int16, day time.Time, users []uint32) error {
	set := roaring.New()
	if err := set.UnmarshalBinary(s.users); err != nil {
		return fmt.Errorf("decode a set of users of %s: %w", day.Format(time.DateOnly), err)
	}
	if !slices.ContainsFunc(users, set.Contains) {
		return nil
	}
	for _, user := range users {
		set.Remove(user)
	}
	const of = ` WHERE project = $1 AND day = $2 AND chunk = $3 AND lane = $4`
	if set.IsEmpty() {
		if _, err := tx.Exec(ctx, `DELETE FROM stats.daily_user_sets`+of, project, day, s.chunk, s.lane); err != nil {
			return fmt.Errorf("remove a set of users: %w", err)
		}
		return nil
	}
	set.RunOptimize() // as folds encode sets
	data, err := set.ToBytes()
	if err != nil {
		return fmt.Errorf("encode a set of users: %w", err)
	}
	if _, err := tx.Exec(ctx, `UPDATE stats.daily_user_sets SET users = $5`+of, project, day, s.chunk, s.lane, data); err != nil {
		return fmt.Errorf("change a set of users: %w", err)
	}
	return nil
}
