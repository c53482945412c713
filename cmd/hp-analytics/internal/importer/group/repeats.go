package group

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/cespare/xxhash/v2"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer/mapping"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer/source"
)

const (
	parts = 64 // a part of 100,000,000 rows takes 12 MiB of memory while it is sorted
	// maxRepeated bounds the memory for what a file says repeatedly, some 160 MiB.
	maxRepeated = 4 << 20
)

// ErrTooManyRepeated is the error of a file in which too many different rows occur repeatedly.
var ErrTooManyRepeated = errors.New("more than 4,194,304 different rows without an id occur repeatedly; give rows ids, or split the file")

// Repeats finds out what a file says more than once, in bounded memory: the hashes of all facts are divided by their value
// among temporary files, which are sorted one after the other.
type Repeats struct {
	dir   string
	files [parts]*os.File
	parts [parts]*bufio.Writer
}

// NewRepeats returns an empty Repeats. Close removes its files.
func NewRepeats() (*Repeats, error) {
	dir, err := os.MkdirTemp("", "hp-analytics-import-")
	if err != nil {
		return nil, err
	}
	r := &Repeats{dir: dir}
	for i := range parts {
		if r.files[i], err = os.Create(filepath.Join(dir, strconv.Itoa(i))); err != nil {
			return nil, errors.Join(err, r.Close())
		}
		r.parts[i] = bufio.NewWriterSize(r.files[i], 16<<10)
	}
	return r, nil
}

// Add notes a fact without a number, or a row with an Err.
func (r *Repeats) Add(row *source.Row, f mapping.Fact) error {
	content, err := contentOf(row, f)
	if err != nil {
		return err
	}
	hash := xxhash.Sum64(content)
	var encoded [8]byte
	binary.LittleEndian.PutUint64(encoded[:], hash)
	_, err = r.parts[hash%parts].Write(encoded[:])
	return err
}

// Close removes the files.
func (r *Repeats) Close() error {
	var problems []error
	for _, file := range r.files {
		if file != nil {
			problems = append(problems, file.Close())
		}
	}
	return errors.Join(append(problems, os.RemoveAll(r.dir))...)
}

// repeated returns the hashes of what was added more than once.
func (r *Repeats) repeated() (map[uint64]uint32, error) {
	found := map[uint64]uint32{}
	for i := range parts {
		hashes, err := r.read(i)
		if err != nil {
			return nil, fmt.Errorf("look for repeated rows: %w", err)
		}
		slices.Sort(hashes)
		for n := 1; n < len(hashes); n++ {
			if hashes[n] == hashes[n-1] {
				found[hashes[n]] = 0
			}
		}
		if len(found) > maxRepeated {
			return nil, ErrTooManyRepeated
		}
	}
	return found, nil
}

func (r *Repeats) read(part int) ([]uint64, error) {
	if err := r.parts[part].Flush(); err != nil {
		return nil, err
	}
	if _, err := r.files[part].Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	content, err := io.ReadAll(r.files[part])
	if err != nil {
		return nil, err
	}
	hashes := make([]uint64, len(content)/8)
	for i := range hashes {
		hashes[i] = binary.LittleEndian.Uint64(content[8*i:])
	}
	return hashes, nil
}
