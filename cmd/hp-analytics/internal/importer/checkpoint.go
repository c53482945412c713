package importer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
)

// checkpoint is what the file beside an input says.
type checkpoint struct {
	File     string  `json:"file"`    // input.identity
	Mapping  string  `json:"mapping"` // hash of the mapping
	Place    string  `json:"place"`
	Complete bool    `json:"complete"`
	Below    int64   `json:"below"` // all rows below are done
	Above    []int64 `json:"above"` // and these
	Rejects  int64   `json:"rejects_bytes"`
	Summary  Summary `json:"summary"`
}

// readCheckpoint returns the checkpoint in a file, or an empty one if there is none.
func readCheckpoint(path string) (checkpoint, error) {
	var c checkpoint
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(text, &c); err != nil {
		return c, fmt.Errorf("%s is no checkpoint (%w); remove it to import from the beginning: what is imported is recognized", path, err)
	}
	return c, nil
}

// write replaces the checkpoint in one step.
func (c checkpoint) write(path string) error {
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// done is which rows of a file are done: imported, known before, or written to the rejects.
type done struct {
	below int64
	above map[int64]struct{}
}

func newDone(below int64, above []int64) *done {
	d := &done{below: below, above: make(map[int64]struct{}, len(above))}
	for _, row := range above {
		d.above[row] = struct{}{}
	}
	return d
}

func (d *done) has(row int64) bool {
	_, above := d.above[row]
	return above || row < d.below
}

func (d *done) add(row int64) {
	d.above[row] = struct{}{}
	for {
		if _, ok := d.above[d.below]; !ok {
			return
		}
		delete(d.above, d.below)
		d.below++
	}
}

func (d *done) list() []int64 { return slices.Sorted(maps.Keys(d.above)) }
