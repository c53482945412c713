package importer

import (
	"bufio"
	"errors"
	"os"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer/group"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer/source"
)

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
	err := errors.Join(r.buffer.Flush(), r.file.Close())
	r.file = nil
	return err
}
