// Package erasure verifies that erasures have left nothing: it reads every table that names users, and trusts no receipt.
package erasure

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	platformpostgres "github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/erasure/internal/postgres"
)

// Options say what is verified.
type Options struct {
	Project string    // the slug of a project
	Receipt uuid.UUID // uuid.Nil for the receipts of User
	User    string    // a user id or an anonymous id; empty for Receipt
}

// Report is what was found of a receipt.
type Report struct {
	Receipt  uuid.UUID
	State    string // waiting, running or done
	Phase    string
	HeldBy   []int64 // failed batches that hold it up
	Asked    time.Time
	Finished *time.Time
	Numbers  int     // user ids and anonymous ids that were erased; 0 while it waits
	Tables   []Table // each that names users; none while it waits, because nothing was removed yet
	// Back says that one of the ids is known again, as a new user since the erasure. That is no fault.
	Back bool
}

// Table is how many rows of the erased numbers a table has.
type Table = postgres.Table

// Left returns how many rows are left in all tables.
func (r Report) Left() (n int64) {
	for _, t := range r.Tables {
		n += t.Left
	}
	return n
}

// OK reports whether the erasure is done and nothing is left.
func (r Report) OK() bool { return r.State == "done" && r.Left() == 0 }

// Errors of a verification.
var (
	ErrNoProject = errors.New("there is no such project")
	ErrNoReceipt = errors.New("the project has no such receipt")
	ErrNoUser    = errors.New("the user was never erased")
)

// Verify looks for what is left of erased users, in one snapshot, while the platform works on. It returns a report for each receipt.
func Verify(ctx context.Context, pool *pgxpool.Pool, o Options) (reports []Report, err error) {
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err = platformpostgres.InTx(ctx, pool, options, func(tx pgx.Tx) error {
		reports, err = verify(ctx, postgres.Snapshot{Tx: tx}, o)
		return err
	})
	if err != nil {
		return nil, platformpostgres.Classify(fmt.Errorf("verify an erasure: %w", err))
	}
	return reports, nil
}

func verify(ctx context.Context, s postgres.Snapshot, o Options) ([]Report, error) {
	if err := s.Prepare(ctx); err != nil {
		return nil, err
	}
	project, ok, err := s.Project(ctx, o.Project)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrNoProject, o.Project)
	}
	receipts, err := s.Receipts(ctx, project, o.Receipt)
	if err != nil {
		return nil, err
	}
	var reports []Report
	for i := range receipts {
		r := &receipts[i]
		if o.User != "" && !r.Of(o.User) {
			continue
		}
		report := Report{Receipt: r.ID, State: r.State, Phase: r.Phase, HeldBy: r.HeldBy, Asked: r.Asked, Finished: r.Finished, Numbers: len(r.Numbers)}
		if r.State == waiting {
			reports = append(reports, report)
			continue
		}
		if report.Tables, err = s.Left(ctx, project, r); err != nil {
			return nil, err
		}
		if o.User != "" {
			if report.Back, err = s.Known(ctx, project, o.User); err != nil {
				return nil, err
			}
		}
		reports = append(reports, report)
	}
	switch {
	case len(reports) > 0:
		return reports, nil
	case o.User != "":
		return nil, neverErased(ctx, s, project, o)
	default:
		return nil, fmt.Errorf("%w: %s, project %s; name the project of the erasure with --project", ErrNoReceipt, o.Receipt, o.Project)
	}
}

// waiting is the state of an erasure that has removed nothing yet.
const waiting = "waiting"

// neverErased returns ErrNoUser, and whether the project knows the user.
func neverErased(ctx context.Context, s postgres.Snapshot, project int16, o Options) error {
	known, err := s.Known(ctx, project, o.User)
	if err != nil {
		return err
	}
	if known {
		return fmt.Errorf("%w: the project %s knows %q, and none of its receipts is of this id. DELETE /users/{id} erases it", ErrNoUser, o.Project, o.User)
	}
	return fmt.Errorf("%w: the project %s does not know %q, and none of its receipts is of this id", ErrNoUser, o.Project, o.User)
}
