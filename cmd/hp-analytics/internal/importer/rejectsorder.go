package importer

import (
	"bufio"
	"cmp"
	"errors"
	"io"
	"os"
	"slices"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer/source"
)

// refusedRow is where a refused row, with its mark, is in the file of rejects.
type refusedRow struct {
	line         int64 // in the input
	offset, size int64
}

// sort puts the refused rows into the order of the input. Requests end in any order, and rows that cannot be read are refused at once.
func (r *rejects) sort() error {
	from, err := os.Open(r.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer from.Close() //nolint:errcheck // it was only read
	header, rows, err := findRefused(from)
	if err != nil || slices.IsSortedFunc(rows, inInput) {
		return err
	}
	slices.SortStableFunc(rows, inInput)
	sorted := r.path + ".sorted"
	to, err := os.OpenFile(sorted, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(to)
	for _, row := range slices.Concat([]refusedRow{{size: header}}, rows) {
		if _, err = io.Copy(out, io.NewSectionReader(from, row.offset, row.size)); err != nil {
			break
		}
	}
	if err := errors.Join(err, out.Flush(), to.Close()); err != nil {
		return errors.Join(err, os.Remove(sorted))
	}
	return os.Rename(sorted, r.path)
}

func inInput(a, b refusedRow) int { return cmp.Compare(a.line, b.line) }

// findRefused returns the length of what is before the first mark, and where the rows are.
func findRefused(file io.Reader) (header int64, rows []refusedRow, err error) {
	lines := bufio.NewReaderSize(file, 64<<10)
	var offset int64
	begins := true // a line; a long one comes in pieces
	for {
		text, err := lines.ReadSlice('\n')
		if mark, ok := source.ParseMark(text); begins && ok {
			rows = append(rows, refusedRow{line: mark.Line, offset: offset})
		}
		if n := int64(len(text)); len(rows) == 0 {
			header += n
		} else {
			rows[len(rows)-1].size += n
		}
		offset += int64(len(text))
		switch begins = !errors.Is(err, bufio.ErrBufferFull); {
		case errors.Is(err, io.EOF):
			return header, rows, nil
		case err != nil && begins:
			return 0, nil, err
		}
	}
}
