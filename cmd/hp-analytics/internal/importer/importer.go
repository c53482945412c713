// Package importer imports files of products, events, orders and refunds into a running platform, exactly once however often it
// is run: ids come from what the rows say, and a checkpoint beside each file says what the platform has acknowledged.
package importer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer/group"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer/mapping"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer/source"
)

// The defaults of Options.
const (
	DefaultInFlight = 4
	DefaultWindow   = 10_000
)

// Options says what is imported, and where.
type Options struct {
	Mapping *mapping.Mapping
	// MappingText is the mapping file. Another mapping makes other items of the rows, so checkpoints of it do not count.
	MappingText []byte
	Files       []string // source.Stdin is standard input
	Stdin       io.Reader
	Target      Target
	// Place names the target in checkpoints.
	Place    string
	InFlight int    // requests at the same time
	Window   int64  // how many rows the rows of one order may lie apart
	Again    bool   // send rows that a checkpoint says are imported
	Rejects  string // where the refused rows of standard input go
	Out      io.Writer
	// Checkpoint is the time between two checkpoints. What was sent since the last one is sent again after a kill.
	Checkpoint time.Duration
	// Grace is how long requests in flight may take after the import was interrupted.
	Grace time.Duration
}

// Validate returns what is wrong with the options.
func (o Options) Validate() error {
	switch {
	case len(o.Files) == 0:
		return errors.New("no file to import; - is standard input")
	case o.InFlight < 1 || o.InFlight > 64:
		return errors.New("in-flight must be from 1 to 64")
	case o.Window < 1 || o.Window > 1_000_000:
		return errors.New("window must be from 1 to 1000000")
	}
	return nil
}

// SetDelimiter names what separates the values of CSV rows, instead of the mapping; tab and \t are a tab, and nothing changes nothing. A
// checkpoint of rows that were read in another way does not count.
func (o *Options) SetDelimiter(delimiter string) error {
	switch delimiter {
	case "":
		return nil
	case "tab", `\t`:
		delimiter = "\t"
	}
	o.Mapping.File.Delimiter = delimiter
	o.MappingText = append(slices.Clone(o.MappingText), "\n--delimiter "+delimiter...)
	return o.Mapping.File.Validate()
}

// ErrRefusedRows says that everything was read and some rows were refused.
var ErrRefusedRows = errors.New("some rows were refused")

// Run imports all files, one after the other, and prints a summary. It returns ErrRefusedRows if that is all that went wrong.
func Run(ctx context.Context, o Options) (Summary, error) {
	var all Summary
	var failed error
	begun := time.Now()
	for _, name := range o.Files {
		s, err := o.file(ctx, name)
		all.add(s)
		if err != nil {
			failed = inFile(name, err)
			break
		}
	}
	if failed == nil || len(all.Items) > 0 {
		all.print(o.Out, time.Since(begun))
	}
	if failed == nil && all.Refused > 0 {
		failed = ErrRefusedRows
	}
	return all, failed
}

// inFile adds the name of a file to an error, once.
func inFile(name string, err error) error {
	if name == source.Stdin {
		name = "standard input"
	}
	if path, ok := errors.AsType[*fs.PathError](err); ok && path.Path == name {
		err = path.Err
	}
	if errors.Is(err, syscall.EISDIR) {
		return fmt.Errorf("%s is a directory: name the files in it", name)
	}
	return fmt.Errorf("%s: %w", name, err)
}

// file imports a file.
func (o Options) file(ctx context.Context, name string) (s Summary, err error) {
	input, err := o.spool(name)
	if err != nil {
		return s, err
	}
	defer input.remove()
	f, err := source.Open(input.path, nil, o.Mapping.File)
	if err != nil {
		return s, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	rows, err := o.rows(f)
	if err != nil {
		return s, err
	}
	state, err := o.resume(input, rows)
	if err != nil || state.checkpoint.Complete {
		return state.summary(), err
	}
	repeats, span, err := o.survey(ctx, input)
	if err != nil {
		return s, err
	}
	r := &run{Options: o, name: name, rows: rows, state: state, progress: newProgress(o.Out, name, f), groups: group.NewGroups(o.Window)}
	if r.identities, err = group.NewIdentities(repeats); err != nil {
		return s, errors.Join(err, repeats.Close())
	}
	if err := repeats.Close(); err != nil {
		return s, err
	}
	err = r.history(ctx, span)
	r.progress.end()
	return state.summary(), errors.Join(err, state.close(err == nil))
}

// rows begins to read a file and checks that it has the columns of the mapping.
func (o Options) rows(f *source.File) (*source.Rows, error) {
	rows, err := source.NewRows(f, o.Mapping.File)
	if err != nil {
		return nil, err
	}
	if missing := o.Mapping.Missing(rows.Header); rows.Format == source.CSV && len(missing) > 0 {
		hint := ""
		if len(rows.Header) == 1 && strings.ContainsAny(rows.Header[0], "|:~^") {
			hint = "; if another character separates the values, name it: --delimiter '|', or in the mapping file: {delimiter: \"|\"}"
		}
		return nil, fmt.Errorf("the file has no column %q; it has %q%s", missing, rows.Header, hint)
	}
	return rows, nil
}

// PlaceOf names a platform and a key in checkpoints, without telling the key.
func PlaceOf(url, key string) string { return url + " " + hashOf([]byte(key)) }

func hashOf(parts ...[]byte) string {
	hash := sha256.New()
	for _, part := range parts {
		_, _ = fmt.Fprintf(hash, "%d:", len(part)) // a hash takes everything
		_, _ = hash.Write(part)
	}
	return hex.EncodeToString(hash.Sum(nil)[:16])
}
