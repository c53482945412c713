package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/audit"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/digest"
)

var (
	errUnknownDigest  = errs.New(errs.NotFound, "unknown_digest", "The project has no digest with this id.")
	errTooManyDigests = errs.New(errs.Conflict, "too_many_digests", "The project has 50 digests. Delete one that nobody needs any more.")
	channelFixed      = errs.Field{Pointer: "/url", Code: "channel_fixed", Detail: "It stays by e-mail, or to a webhook. Make another one."}

	errChannelFixed      = errs.New(errs.Invalid, "validation_failed", "The digest cannot be like this.", channelFixed)
	errAlertChannelFixed = errs.New(errs.Invalid, "validation_failed", "The alert cannot be like this.", channelFixed)
)

const selectDigests = `
	SELECT d.id, d.name, d.every, d.hour, d.recipients, d.url, d.enabled, d.created_at, d.updated_at, v.id IS NOT NULL,
	       coalesce(v.test, false), coalesce(v.first_day, '1970-01-01'), coalesce(v.last_day, '1970-01-01'), coalesce(v.state, ''), coalesce(v.attempts, 0),
	       coalesce(v.failure, ''), coalesce(v.complete, false), coalesce(v.done_at, v.next_at, now())
	FROM workspace.digests d
	LEFT JOIN LATERAL (SELECT * FROM workspace.deliveries w WHERE w.digest = d.id ORDER BY w.created_at DESC, w.id DESC LIMIT 1) v ON true
	WHERE d.project = $1`

// digests are read each with its newest delivery.
var digests = selection[digest.Digest]{things: "digests", query: selectDigests, scan: scanDigest, unknown: errUnknownDigest}

func scanDigest(row pgx.CollectableRow) (d digest.Digest, err error) {
	var last digest.Delivery
	var planned bool
	err = row.Scan(&d.ID, &d.Name, &d.Every, &d.Hour, &d.Recipients, &d.URL, &d.Enabled, &d.CreatedAt, &d.UpdatedAt, &planned,
		&last.Test, &last.First, &last.Last, &last.State, &last.Attempts, &last.Failure, &last.Complete, &last.At)
	if planned {
		d.Last = &last
	}
	return d, err
}

// Digests lists the digests of a project by name.
func (s Store) Digests(ctx context.Context, project int16) ([]digest.Digest, error) {
	return digests.list(ctx, s.Pool, ` ORDER BY lower(d.name), d.id LIMIT $2`, project, digest.MaxPerProject)
}

// CreateDigest stores a digest with the secret of its webhook, which is empty for e-mail. It returns Conflict if the project has too many.
func (s Store) CreateDigest(ctx context.Context, project int16, c digest.Content, secret string) (d digest.Digest, err error) {
	const insert = `
		INSERT INTO workspace.digests (id, project, name, every, hour, recipients, url, secret, enabled)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`
	id := uuid.Must(uuid.NewV7())
	err = s.changeWorkspace(ctx, project, func(tx pgx.Tx) error {
		if err := checkRoom(ctx, tx, "digests", project, digest.MaxPerProject, errTooManyDigests); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, insert, id, project, c.Name, c.Every, c.Hour, c.Recipients, c.URL, secret, c.Enabled); err != nil {
			return fmt.Errorf("insert a digest: %w", err)
		}
		if d, err = readDigest(ctx, tx, project, id); err != nil {
			return err
		}
		return recordDigest(ctx, tx, digestCreated, project, d)
	})
	return d, err
}

// ReplaceDigest stores what a digest is from now on. It returns NotFound for an unknown one, and Invalid if it would change between e-mail
// and a webhook.
func (s Store) ReplaceDigest(ctx context.Context, project int16, id uuid.UUID, c digest.Content) (d digest.Digest, err error) {
	const update = `
		UPDATE workspace.digests
		SET name = $3, every = $4, hour = $5, recipients = $6, url = $7, enabled = $8, updated_at = now(),
		    scheduled_at = CASE WHEN (every, hour) = ($4, $5) AND (enabled OR NOT $8) THEN scheduled_at ELSE now() END
		WHERE project = $1 AND id = $2 AND (name, every, hour, recipients, url, enabled) IS DISTINCT FROM ($3, $4, $5::smallint, $6::text[], $7, $8)`
	err = s.changeWorkspace(ctx, project, func(tx pgx.Tx) error {
		if d, err = readDigest(ctx, tx, project, id); err != nil {
			return err
		}
		if (d.URL == "") != (c.URL == "") {
			return errChannelFixed
		}
		tag, err := tx.Exec(ctx, update, project, id, c.Name, c.Every, c.Hour, c.Recipients, c.URL, c.Enabled)
		if err != nil {
			return fmt.Errorf("change a digest: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return nil
		}
		if d, err = readDigest(ctx, tx, project, id); err != nil {
			return err
		}
		return recordDigest(ctx, tx, digestChanged, project, d)
	})
	return d, err
}

// DeleteDigest deletes a digest with what is known of its deliveries. It returns NotFound for an unknown one.
func (s Store) DeleteDigest(ctx context.Context, project int16, id uuid.UUID) error {
	return s.changeWorkspace(ctx, project, func(tx pgx.Tx) error {
		d, err := readDigest(ctx, tx, project, id)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM workspace.digests WHERE project = $1 AND id = $2`, project, id); err != nil {
			return fmt.Errorf("delete a digest: %w", err)
		}
		return recordDigest(ctx, tx, digestDeleted, project, d)
	})
}

// TestDigest asks for a digest of the last day or seven days. It returns NotFound for an unknown digest, Conflict while a test is not
// done, or within a minute of the last one, and TooMany when the project has asked for perHour tests within an hour.
func (s Store) TestDigest(ctx context.Context, project int16, id uuid.UUID, perHour int) (v digest.Delivery, err error) {
	err = s.changeWorkspace(ctx, project, func(tx pgx.Tx) error {
		d, err := readDigest(ctx, tx, project, id)
		if err != nil {
			return err
		}
		if v, err = addTest(ctx, tx, project, testOf{digest: &id, every: d.Every}, perHour); err != nil {
			return err
		}
		return recordDigest(ctx, tx, digestTested, project, d)
	})
	return v, err
}

func readDigest(ctx context.Context, tx pgx.Tx, project int16, id uuid.UUID) (digest.Digest, error) {
	return digests.one(ctx, tx, ` AND d.id = $2`, project, id)
}

func recordDigest(ctx context.Context, tx pgx.Tx, action string, project int16, d digest.Digest) error {
	details := audit.Details{"name": d.Name, "every": d.Every, "hour": d.Hour, "enabled": d.Enabled}
	d.Record(details)
	return audit.Record(ctx, tx, audit.Entry{Action: action, Project: project, Subject: digestSubject(d.ID), Details: details})
}
