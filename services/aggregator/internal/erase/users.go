package erase

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	platformpostgres "github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/protocol/erased"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
)

// maxTogether bounds the erasures of a pass.
const maxTogether = 1000

// request is an erasure that waits.
type request struct {
	id        uuid.UUID
	anonymous bool
	subject   string
	salt      []byte
	person    *int64 // whom the subject belongs to: the number of a user id, or of an anonymous id that belongs to nobody
}

// member is a user id or an anonymous id of a person.
type member struct {
	n, person int64
	anonymous bool
	id        string
}

// forget begins a pass: it removes the persons that are asked for from the dictionary, with the anonymous ids that belong to them,
// and raises the epoch of the project, in one transaction.
func (e *Eraser) forget(ctx context.Context, project postgres.Project) error {
	return platformpostgres.InTx(ctx, e.Pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		requests, members, err := lockPersons(ctx, tx, project.ID)
		if err != nil || len(requests) == 0 {
			return err
		}
		const raise = `
			INSERT INTO ingest.erasure_epochs AS e (project, epoch) VALUES ($1, 1)
			ON CONFLICT (project) DO UPDATE SET epoch = e.epoch + 1
			RETURNING epoch`
		var epoch int64
		if err := tx.QueryRow(ctx, raise, project.ID).Scan(&epoch); err != nil {
			return fmt.Errorf("raise the epoch: %w", err)
		}
		removed, err := record(ctx, tx, project.ID, requests, members)
		if err != nil {
			return err
		}
		const begin = `
			UPDATE ingest.erasures AS e
			SET state = 'running', phase = 'writers', epoch = $2, started_at = now(), removed = jsonb_build_object('ingest.users', begun.removed)
			FROM unnest($3::uuid[], $4::bigint[]) AS begun (id, removed)
			WHERE e.project = $1 AND e.id = begun.id`
		ids := make([]uuid.UUID, len(requests))
		for i := range requests {
			ids[i] = requests[i].id
		}
		if _, err := tx.Exec(ctx, begin, project.ID, epoch, ids, removed); err != nil {
			return fmt.Errorf("begin erasures: %w", err)
		}
		return nil
	})
}

// lockPersons returns the erasures that wait, and the ids of their persons, which are locked. Ingest locks a person before it joins
// an anonymous id to it, so a join that has begun is committed before the person is locked, and a later one finds no person.
func lockPersons(ctx context.Context, tx pgx.Tx, project int16) ([]request, []member, error) {
	for known := -1; ; {
		requests, err := waitingRequests(ctx, tx, project)
		if err != nil {
			return nil, nil, err
		}
		var persons []int64
		for _, r := range requests {
			if r.person != nil {
				persons = append(persons, *r.person)
			}
		}
		const lock = `
			SELECT n, coalesce(person, n), anonymous, id FROM ingest.users
			WHERE project = $1 AND (n = ANY($2) OR person = ANY($2))
			ORDER BY n
			FOR UPDATE`
		rows, err := tx.Query(ctx, lock, project, persons)
		if err != nil {
			return nil, nil, fmt.Errorf("lock persons: %w", err)
		}
		members, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (m member, err error) {
			err = row.Scan(&m.n, &m.person, &m.anonymous, &m.id)
			return m, err
		})
		if err != nil {
			return nil, nil, fmt.Errorf("lock persons: %w", err)
		}
		// What was committed while this waited for a lock is found by the next look.
		if len(members) == known {
			return requests, members, nil
		}
		known = len(members)
	}
}

func waitingRequests(ctx context.Context, tx pgx.Tx, project int16) ([]request, error) {
	const query = `
		SELECT e.id, e.anonymous, e.subject, e.salt, coalesce(u.person, u.n)
		FROM ingest.erasures AS e
		LEFT JOIN ingest.users AS u ON u.project = e.project AND u.anonymous = e.anonymous AND u.id = e.subject
		WHERE e.project = $1 AND e.state = 'waiting'
		ORDER BY e.id
		LIMIT $2
		FOR UPDATE OF e`
	rows, err := tx.Query(ctx, query, project, maxTogether)
	if err != nil {
		return nil, fmt.Errorf("read what is asked for: %w", err)
	}
	requests, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r request, err error) {
		err = row.Scan(&r.id, &r.anonymous, &r.subject, &r.salt, &r.person)
		return r, err
	})
	if err != nil {
		return nil, fmt.Errorf("read what is asked for: %w", err)
	}
	return requests, nil
}

// record keeps the numbers of members with the receipt of the first request for their person, removes the members, and returns how
// many each request has removed.
func record(ctx context.Context, tx pgx.Tx, project int16, requests []request, members []member) (removed []int64, err error) {
	removed = make([]int64, len(requests))
	first := map[int64]int{} // request by person
	for i, r := range requests {
		if r.person == nil {
			continue
		}
		if _, again := first[*r.person]; !again {
			first[*r.person] = i
		}
	}
	numbers, receipts := make([]int64, len(members)), make([]uuid.UUID, len(members))
	digests, kinds := make([][]byte, len(members)), make([]bool, len(members))
	for i, m := range members {
		of := first[m.person]
		removed[of]++
		numbers[i], receipts[i], kinds[i] = m.n, requests[of].id, m.anonymous
		digests[i] = erased.Digest(requests[of].salt, m.anonymous, m.id)
	}
	const insert = `
		INSERT INTO ingest.erased_users (project, n, erasure, digest, anonymous)
		SELECT $1, n, erasure, digest, anonymous FROM unnest($2::bigint[], $3::uuid[], $4::bytea[], $5::boolean[]) AS m (n, erasure, digest, anonymous)`
	if _, err := tx.Exec(ctx, insert, project, numbers, receipts, digests, kinds); err != nil {
		return nil, fmt.Errorf("record numbers: %w", err)
	}
	if _, err := tx.Exec(ctx, `DELETE FROM ingest.users WHERE project = $1 AND n = ANY($2)`, project, numbers); err != nil {
		return nil, fmt.Errorf("remove users: %w", err)
	}
	return removed, nil
}
