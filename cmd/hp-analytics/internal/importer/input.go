package importer

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer/source"
)

// input is a file that can be read more than once.
type input struct {
	name      string
	path      string
	temporary bool
}

// spool returns the file of a name. Standard input is written to a temporary file first if it has to be read twice.
func (o Options) spool(name string) (input, error) {
	if name != source.Stdin {
		return input{name: name, path: name}, nil
	}
	file, err := os.CreateTemp("", "hp-analytics-import-")
	if err != nil {
		return input{}, err
	}
	_, err = io.Copy(file, o.Stdin)
	if err := errors.Join(err, file.Close()); err != nil {
		return input{}, errors.Join(fmt.Errorf("read standard input: %w", err), os.Remove(file.Name()))
	}
	return input{name: name, path: file.Name(), temporary: true}, nil
}

func (i input) remove() {
	if i.temporary {
		_ = os.Remove(i.path) // a file for temporary files that stays does no harm
	}
}

// identity identifies the content of the file, without reading all of it: by its size, its time and its beginning.
func (i input) identity() (string, error) {
	file, err := os.Open(i.path)
	if err != nil {
		return "", err
	}
	defer file.Close() //nolint:errcheck // it was only read
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	beginning, err := io.ReadAll(io.LimitReader(file, 1<<20))
	if err != nil {
		return "", err
	}
	return hashOf([]byte(fmt.Sprint(info.Size(), info.ModTime().UnixNano())), beginning), nil
}

// checkpointPath is beside the file; empty for standard input, which has none.
func (i input) checkpointPath() string {
	if i.temporary {
		return ""
	}
	return i.name + ".checkpoint"
}

// rejectsPath is beside the file, too: orders.csv.gz has orders.rejects.csv, which has orders.rejects-2.csv when it is imported.
func (o Options) rejectsPath(i input, format string) string {
	if i.temporary {
		return o.Rejects
	}
	name := i.name
	for _, packed := range []string{".gz", ".zst", ".zstd"} {
		name = strings.TrimSuffix(name, packed)
	}
	name = strings.TrimSuffix(name, filepath.Ext(name))
	before, again := ".rejects", rejectsEnd.FindStringSubmatch(name)
	if again != nil {
		count, _ := strconv.Atoi(again[1]) // digits, or none for the first
		name = strings.TrimSuffix(name, again[0])
		before += "-" + strconv.Itoa(max(1, count)+1)
	}
	return name + before + "." + format
}

// rejectsEnd matches the end of the name of a file of refused rows, without its type.
var rejectsEnd = regexp.MustCompile(`\.rejects(?:-([0-9]{1,6}))?$`)
