package importer

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer/group"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer/source"
)

// state is how far the import of a file is. It is safe for concurrent use.
type state struct {
	mu         sync.Mutex
	path       string // of the checkpoint; empty for none
	checkpoint checkpoint
	done       *done
	written    time.Time
	interval   time.Duration
	rejects    rejects
}

// resume returns the state that the checkpoint of a file says, or that of one that is to be imported from its beginning.
func (o Options) resume(i input, rows *source.Rows) (*state, error) {
	s := &state{path: i.checkpointPath(), written: time.Now(), interval: o.Checkpoint}
	identity, err := i.identity()
	if err != nil {
		return s, err
	}
	here := checkpoint{File: identity, Mapping: hashOf(o.MappingText), Place: o.Place}
	if s.path != "" && !o.Again {
		known, err := readCheckpoint(s.path)
		if err != nil {
			return s, err
		}
		if known.File == here.File && known.Mapping == here.Mapping && known.Place == here.Place {
			here = known
		}
	}
	s.checkpoint = here
	s.done = newDone(here.Below, here.Above)
	s.rejects = rejects{path: o.rejectsPath(i, rows.Format), header: rows.HeaderText}
	s.checkpoint.Summary.Resumed = here.Summary.Rows
	if here.Complete {
		return s, nil // the rejects may have been mended
	}
	return s, s.rejects.truncate(here.Rejects)
}

func (s *state) isDone(row int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.done.has(row)
}

// settle notes what became of items, and writes the rows of those that were refused to the rejects.
func (s *state) settle(items []group.Item, outcomes []Outcome) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n, i := range items {
		if err := s.settleOne(i, outcomes[n]); err != nil {
			return err
		}
	}
	if time.Since(s.written) < s.interval {
		return nil
	}
	return s.save()
}

func (s *state) settleOne(i group.Item, o Outcome) error {
	s.checkpoint.Summary.count(i, o)
	if o.Status == Refused {
		for _, row := range i.Rows {
			if err := s.rejects.add(i, row, o.Reason); err != nil {
				return fmt.Errorf("write a refused row: %w", err)
			}
		}
	}
	for _, row := range i.Rows {
		s.done.add(row.Number)
	}
	return nil
}

// save writes the rejects, then the checkpoint that counts them.
func (s *state) save() error {
	size, err := s.rejects.flush()
	if err != nil {
		return fmt.Errorf("write the refused rows: %w", err)
	}
	s.written = time.Now()
	if s.path == "" {
		return nil
	}
	s.checkpoint.Below, s.checkpoint.Above, s.checkpoint.Rejects = s.done.below, s.done.list(), size
	if err := s.checkpoint.write(s.path); err != nil {
		return fmt.Errorf("write the checkpoint: %w", err)
	}
	return nil
}

// close writes everything for the last time. The refused rows of a complete import are put into the order of the input. Before that the
// checkpoint says how many bytes they have, so that a kill in between cuts nothing off.
func (s *state) close(complete bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := errors.Join(s.save(), s.rejects.close())
	if err != nil || !complete {
		return err
	}
	if err := s.rejects.sort(); err != nil {
		return fmt.Errorf("put the refused rows in order: %w", err)
	}
	s.checkpoint.Complete = true
	return s.save()
}

func (s *state) summary() Summary {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := s.checkpoint.Summary
	if sum.Refused > 0 {
		sum.Rejects = []string{s.rejects.path}
	}
	return sum
}
