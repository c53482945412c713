package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/audit"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/view"
)

var (
	errUnknownView  = errs.New(errs.NotFound, "unknown_view", "There is no view with this id, or it is not shared with you.")
	errTooManyViews = errs.New(errs.Conflict, "too_many_views", "You have 100 views in this project. Delete some that you do not need any more.")
	errViewName     = errs.New(errs.Conflict, "view_name_taken", "You have a view with this name already.",
		errs.Field{Pointer: "/name", Code: "view_name_taken", Detail: "You have a view with this name already. Choose another name."})
)

// selectViews reads the views of a project ($1) that an account ($2) may see.
const selectViews = `
	SELECT v.id, v.name, v.address, v.shared, v.owner = $2, coalesce(nullif(u.name, ''), split_part(u.email, '@', 1)), v.created_at, v.updated_at
	FROM workspace.views v
	JOIN auth.users u ON u.id = v.owner
	WHERE v.project = $1 AND (v.owner = $2 OR v.shared)`

var views = selection[view.View]{things: "views", query: selectViews, scan: scanView, unknown: errUnknownView}

func scanView(row pgx.CollectableRow) (v view.View, err error) {
	return v, row.Scan(&v.ID, &v.Name, &v.Address, &v.Shared, &v.Own, &v.Owner, &v.CreatedAt, &v.UpdatedAt)
}

// Views lists the views of a reader's project that the reader may see, by name.
func (s Store) Views(ctx context.Context, reader authn.Principal) ([]view.View, error) {
	return views.list(ctx, s.Pool, ` ORDER BY lower(v.name), v.id LIMIT $3`, reader.Project.ID, reader.Subject, view.MaxListed)
}

// CreateView stores a view of its owner. It returns Conflict if the owner has one with this name, or too many.
func (s Store) CreateView(ctx context.Context, owner authn.Principal, c view.Content) (view.View, error) {
	const count = `SELECT count(*) FROM workspace.views WHERE project = $1 AND owner = $2`
	const insert = `INSERT INTO workspace.views (id, project, name, address, shared, owner) VALUES ($1, $2, $3, $4, $5, $6)`
	id := uuid.Must(uuid.NewV7())
	return s.changeView(ctx, owner, id, viewCreated, func(tx pgx.Tx) (bool, error) {
		var there int
		if err := tx.QueryRow(ctx, count, owner.Project.ID, owner.Subject).Scan(&there); err != nil {
			return false, fmt.Errorf("count views: %w", err)
		}
		if there >= view.MaxPerAccount {
			return false, errTooManyViews
		}
		_, err := tx.Exec(ctx, insert, id, owner.Project.ID, c.Name, c.Address, c.Shared, owner.Subject)
		return true, viewError(err)
	})
}

// ReplaceView stores what a view is from now on. It returns NotFound for a view that is unknown or of somebody else, and Conflict like
// CreateView.
func (s Store) ReplaceView(ctx context.Context, owner authn.Principal, id uuid.UUID, c view.Content) (view.View, error) {
	const find = `SELECT (name, address, shared) IS DISTINCT FROM ($4, $5, $6) FROM workspace.views WHERE project = $1 AND id = $2 AND owner = $3`
	const update = `UPDATE workspace.views SET name = $2, address = $3, shared = $4, updated_at = now() WHERE id = $1`
	return s.changeView(ctx, owner, id, viewChanged, func(tx pgx.Tx) (differs bool, err error) {
		err = tx.QueryRow(ctx, find, owner.Project.ID, id, owner.Subject, c.Name, c.Address, c.Shared).Scan(&differs)
		if errs.Is(postgres.Classify(err), errs.NotFound) {
			return false, errUnknownView
		}
		if err != nil {
			return false, fmt.Errorf("find a view: %w", err)
		}
		if !differs {
			return false, nil
		}
		_, err = tx.Exec(ctx, update, id, c.Name, c.Address, c.Shared)
		return true, viewError(err)
	})
}

func viewError(err error) error {
	if _, taken := postgres.IsCode(err, postgres.UniqueViolation); taken {
		return errViewName.Because(err)
	}
	if err != nil {
		return fmt.Errorf("store a view: %w", err)
	}
	return nil
}

// changeView runs work, which reports whether it changes anything, and returns the view as it is then. The lock on the account of the
// owner lets its changes come one after another.
func (s Store) changeView(ctx context.Context, owner authn.Principal, id uuid.UUID, action string, work func(pgx.Tx) (bool, error)) (v view.View, err error) {
	err = postgres.InTx(ctx, s.Pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		if err := s.lockAccounts(ctx, tx, uuid.Nil); err != nil {
			return err
		}
		changed, err := work(tx)
		if err != nil {
			return err
		}
		if v, err = readView(ctx, tx, owner, id); err != nil || !changed {
			return err
		}
		return recordView(ctx, tx, action, owner.Project.ID, v)
	})
	return v, postgres.Classify(err)
}

// DeleteView deletes a view of the caller; an owner of the project also deletes those that others share. It returns NotFound for
// all other views.
func (s Store) DeleteView(ctx context.Context, caller authn.Principal, id uuid.UUID) error {
	err := postgres.InTx(ctx, s.Pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		if err := s.lockAccounts(ctx, tx, uuid.Nil); err != nil {
			return err
		}
		v, err := readView(ctx, tx, caller, id)
		if err != nil {
			return err
		}
		if !v.Own && caller.Role != authn.Owner {
			return errUnknownView
		}
		tag, err := tx.Exec(ctx, `DELETE FROM workspace.views WHERE id = $1`, id)
		if err != nil {
			return fmt.Errorf("delete a view: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return errUnknownView // somebody else was first
		}
		return recordView(ctx, tx, viewDeleted, caller.Project.ID, v)
	})
	return postgres.Classify(err)
}

func readView(ctx context.Context, tx pgx.Tx, reader authn.Principal, id uuid.UUID) (view.View, error) {
	return views.one(ctx, tx, ` AND v.id = $3`, reader.Project.ID, reader.Subject, id)
}

// recordView leaves out the address of a view: filters of a page can be about a user.
func recordView(ctx context.Context, tx pgx.Tx, action string, project int16, v view.View) error {
	return audit.Record(ctx, tx, audit.Entry{
		Action: action, Project: project, Subject: viewSubject(v.ID), Details: audit.Details{"name": v.Name, "shared": v.Shared},
	})
}
