package postgres

import (
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/protocol/erased"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/erasure"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/userexport"
)

// subject is whom an export is of.
type subject struct {
	person    int64 // the number of the user id, or of an anonymous id that belongs to nobody; 0 if the id is unknown
	anonymous bool
}

// findSubject looks for a user.
func findSubject(ctx context.Context, db rowQuerier, r userexport.Request) (s subject, err error) {
	const query = `
		SELECT coalesce(person, n), anonymous FROM ingest.users
		WHERE project = $1 AND anonymous = ANY (CASE WHEN $3::boolean IS NULL THEN '{f,t}' ELSE ARRAY[$3] END) AND id = $2
		ORDER BY anonymous
		LIMIT 1`
	err = db.QueryRow(ctx, query, r.Project, r.Subject, r.Anonymous).Scan(&s.person, &s.anonymous)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return subject{}, fmt.Errorf("look for the user: %w", err)
	}
	return s, nil
}

// erasedID is an id whose erasures are looked for.
type erasedID struct {
	id        string
	anonymous *bool // nil for either
}

// is reports whether a digest is of the id.
func (e erasedID) is(salt, digest []byte, anonymous bool) bool {
	return (e.anonymous == nil || *e.anonymous == anonymous) && hmac.Equal(digest, erased.Digest(salt, anonymous, e.id))
}

// erasuresOf returns the receipts of erasures of some ids, the earliest first. Each receipt has a salt of its own, so all receipts of the
// project are compared with each id.
func erasuresOf(ctx context.Context, tx pgx.Tx, project int16, ids []erasedID) ([]erasure.Receipt, error) {
	q := query{text: `
		SELECT e.id, e.salt, d.digest, d.anonymous
		FROM ingest.erasures e CROSS JOIN LATERAL (
			SELECT e.digest, e.anonymous
			UNION ALL
			SELECT u.digest, u.anonymous FROM ingest.erased_users u WHERE u.project = e.project AND u.erasure = e.id
		) d
		WHERE e.project = `}
	q.text += q.arg(project)
	type candidate struct {
		id           uuid.UUID
		salt, digest []byte
		anonymous    bool
	}
	var found []uuid.UUID
	scan := func(row pgx.CollectableRow) (c candidate, err error) {
		err = row.Scan(&c.id, &c.salt, &c.digest, &c.anonymous)
		return c, err
	}
	err := inParts(ctx, tx, q, exportRows, scan, func(part []candidate) error {
		for _, c := range part {
			if slices.ContainsFunc(ids, func(e erasedID) bool { return e.is(c.salt, c.digest, c.anonymous) }) {
				found = append(found, c.id)
			}
		}
		return nil
	})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	const receipts = `SELECT` + erasureColumns + `FROM ingest.erasures WHERE project = $1 AND id = ANY ($2) ORDER BY id`
	rows, _ := tx.Query(ctx, receipts, project, found) // CollectRows returns its error
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (erasure.Receipt, error) { return erasureOf(row) })
	if err != nil {
		return nil, fmt.Errorf("read receipts of erasures: %w", err)
	}
	return all, nil
}
