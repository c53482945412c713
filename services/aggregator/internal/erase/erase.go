// Package erase forgets users, as rows of ingest.erasures ask. All that wait in a project are done together, in phases. Each phase
// can be repeated after a crash: what it has done stays done, and what it counts is counted in the same transaction.
//
//  1. users: the users leave the dictionary, so the same ids are new users from then on, and the project gets a new epoch. Ingest
//     compares it in the statement that stores rows, so no later statement stores rows with the former numbers.
//  2. writers: transactions that began before that end, and batches that they have committed are folded.
//  3. rows: raw rows become those of nobody. Events stay because sums are made of them and because their keys keep a retry from being
//     counted twice; orders and refunds are part of the books.
//  4. rollups: the users leave the rollups. Days that have all raw rows are rebuilt, because a sketch cannot forget.
package erase

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	platformpostgres "github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	platformredis "github.com/hp-analytics/hp-analytics/internal/platform/redis"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/rebuild"
)

const (
	// look is how often the eraser looks for requests. It looks whether what it waits for has ended after poll, and then after twice as
	// long each time, up to look: writers end in milliseconds, a failed batch is repaired in hours.
	look = 2 * time.Second
	poll = 200 * time.Millisecond
	// chunk bounds the raw rows that one transaction changes, and with them how long it holds locks.
	chunk = 5000
	// afterRebuild is how long another rebuild is left alone: each attempt opens connections, and a rebuild can take hours.
	afterRebuild = 5 * time.Second
)

// Eraser does the erasures of all projects, one step after the other. Only one may run.
type Eraser struct {
	Pool   *pgxpool.Pool
	Redis  *platformredis.Client // where version tokens are published; may be nil
	Logger *slog.Logger
	Turn   rebuild.Turn // of the jobs of the process that rebuild

	waits    map[passKey]*wait
	rebuilds time.Time // when the next attempt to rebuild is made, if another rebuild ran
}

// passKey identifies the erasures of a project that are done together.
type passKey struct {
	project int16
	epoch   int64
}

// pass is the state of these erasures.
type pass struct {
	passKey

	in      postgres.Project
	phase   string
	reached *time.Time // the last day of the phase that is done
	numbers []int64    // former numbers of the users
}

// The phases of a pass.
const (
	phaseWriters = "writers"
	phaseRows    = "rows"
	phaseRollups = "rollups"
)

// Progress says what a step has come to.
type Progress int

// What a step can come to.
const (
	Idle    Progress = iota // nothing is asked for
	Waiting                 // something else has to end first
	Moved                   // there may be more to do at once
)

// Run erases until ctx ends. Errors are logged and recorded in the receipts; the next round tries again.
func (e *Eraser) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	waited := time.Duration(0) // the last pause, if it was for something that had to end
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		done, err := e.Step(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			e.Logger.WarnContext(ctx, "an erasure does not go on", "err", err)
			done = Idle
		}
		pause := pauseAfter(done, waited)
		if waited = 0; done == Waiting {
			waited = pause
		}
		timer.Reset(pause)
	}
}

// pauseAfter returns how long the eraser pauses after a step. waited is the pause before the step, if that was for something that had to
// end, or else 0.
func pauseAfter(done Progress, waited time.Duration) time.Duration {
	switch done {
	case Moved:
		return 0
	case Waiting:
		return min(max(2*waited, poll), look)
	default:
		return look
	}
}

// Step takes the erasures of each project one step further.
func (e *Eraser) Step(ctx context.Context) (Progress, error) {
	projects, err := e.asked(ctx)
	if err != nil {
		return Idle, platformpostgres.Classify(err)
	}
	most := Idle
	var failed []error
	for _, project := range projects {
		done, err := e.step(ctx, project)
		if err != nil {
			failed = append(failed, fmt.Errorf("project %s: %w", project.Slug, platformpostgres.Classify(err)))
		}
		most = max(most, done)
	}
	return most, errors.Join(failed...)
}

// step takes the erasures of a project one step further. Those that are asked for meanwhile wait for the ones that run.
func (e *Eraser) step(ctx context.Context, project postgres.Project) (Progress, error) {
	p, running, err := e.running(ctx, project)
	if err != nil {
		return Idle, err
	}
	if !running {
		return Moved, e.forget(ctx, project)
	}
	done, err := e.advance(ctx, p)
	if note := e.note(ctx, p, err); note != nil {
		err = errors.Join(err, note)
	}
	return done, err
}

func (e *Eraser) advance(ctx context.Context, p *pass) (Progress, error) {
	switch p.phase {
	case phaseWriters:
		return e.drain(ctx, p)
	case phaseRows:
		return e.orphanRows(ctx, p)
	default:
		return e.forgetDay(ctx, p)
	}
}
