package importer

import (
	"bufio"
	"errors"
	"fmt"
	"os"
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

// close writes everything for the last time.
func (s *state) close(complete bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.checkpoint.Complete = complete
	return errors.Join(s.save(), s.rejects.close())
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

// rejects is the file of the refused rows. It is made when there is one.
type rejects struct {
	path   string
	header string // the first row of a CSV file
	size   int64
	file   *os.File
	buffer *bufio.Writer
}

// byteOrderMark makes the file UTF-8 whatever charset the mapping declares for the original.
const byteOrderMark = "\ufeff"

// truncate removes what was written after the checkpoint: those rows are read again. The file of an earlier import, which somebody
// may have begun to mend, is kept under another name.
func (r *rejects) truncate(size int64) error {
	r.size = size
	var err error
	if size == 0 {
		err = os.Rename(r.path, r.path+".old")
	} else {
		err = os.Truncate(r.path, size)
	}
	if errors.Is(err, os.ErrNotExist) {
		r.size = 0
		return nil
	}
	return err
}

func (r *rejects) open() (err error) {
	if r.file != nil {
		return nil
	}
	if r.file, err = os.OpenFile(r.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
		return err
	}
	r.buffer = bufio.NewWriter(r.file)
	if r.size > 0 {
		return nil
	}
	text := byteOrderMark
	if r.header != "" {
		text += r.header + "\n"
	}
	return r.write([]byte(text))
}

func (r *rejects) write(text []byte) error {
	n, err := r.buffer.Write(text)
	r.size += int64(n)
	return err
}

func (r *rejects) add(i group.Item, row *source.Row, reason string) error {
	if err := r.open(); err != nil {
		return err
	}
	mark := source.Mark{Line: row.Line, Reason: reason}
	if row.Err != nil {
		mark.Reason = row.Err.Error()
	}
	if i.Derived {
		mark.ID = i.ID
	}
	text, err := mark.Append(nil)
	if err != nil {
		return err
	}
	return r.write(append(append(text, row.Text...), '\n'))
}

func (r *rejects) flush() (int64, error) {
	if r.file == nil {
		return r.size, nil
	}
	return r.size, r.buffer.Flush()
}

func (r *rejects) close() error {
	if r.file == nil {
		return nil
	}
	return errors.Join(r.buffer.Flush(), r.file.Close())
}
