package importer

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer/group"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer/mapping"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer/source"
)

// span is the time between the earliest and the latest event of a file.
type span struct{ first, last time.Time }

func (s *span) add(ts time.Time) {
	if s.first.IsZero() || ts.Before(s.first) {
		s.first = ts
	}
	if ts.After(s.last) {
		s.last = ts
	}
}

// survey reads the file once to find what it says repeatedly and which days it has. Products need neither.
func (o Options) survey(ctx context.Context, input input) (*group.Repeats, span, error) {
	repeats, err := group.NewRepeats()
	if err != nil || o.Mapping.Rows == mapping.Products {
		return repeats, span{}, err
	}
	found, err := o.readAll(ctx, input, repeats)
	if err != nil {
		return nil, span{}, errors.Join(err, repeats.Close())
	}
	return repeats, found, nil
}

func (o Options) readAll(ctx context.Context, input input, repeats *group.Repeats) (found span, err error) {
	f, err := source.Open(input.path, nil, o.Mapping.File)
	if err != nil {
		return found, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	rows, err := o.rows(f)
	if err != nil {
		return found, err
	}
	for ctx.Err() == nil {
		row, err := rows.Next()
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return found, err
		}
		var fact mapping.Fact
		if row.Err == nil {
			fact, row.Err = o.Mapping.Fact(row)
		}
		if row.Err == nil {
			found.add(fact.TS)
		}
		if fact.Number == "" {
			if err := repeats.Add(row, fact); err != nil {
				return found, err
			}
		}
	}
	return found, context.Cause(ctx)
}

// history runs the import. Events are announced, because they may be older than the platform takes otherwise.
func (r *run) history(ctx context.Context, found span) error {
	if r.Mapping.Rows != mapping.Events || found.first.IsZero() {
		return r.run(ctx)
	}
	if err := r.Target.Begin(ctx, "import "+r.state.checkpoint.File, found.first, found.last); err != nil {
		return err
	}
	if err := r.run(ctx); err != nil {
		return err
	}
	return r.Target.Finish(ctx)
}
