// Package source reads the rows of files: CSV and NDJSON, as they are or compressed with gzip or zstd, in UTF-8 or another
// charset. It keeps the text of each row, so that one that is refused can be written down, mended and read again.
package source

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
)

// MaxRow is the length of a row at most, in bytes.
const MaxRow = 1 << 20

// Stdin is the name of standard input.
const Stdin = "-"

// Formats of files.
const (
	CSV    = "csv"
	NDJSON = "ndjson"
)

// Format says how a file is written. The zero value is CSV or NDJSON and its delimiter by content, in UTF-8, with a header.
type Format struct {
	Format     string   `yaml:"format"`      // csv or ndjson; by content if it is empty
	Delimiter  string   `yaml:"delimiter"`   // between the values of a CSV row; by content if it is empty
	Charset    string   `yaml:"charset"`     // name in the WHATWG encoding standard, such as windows-1252
	LazyQuotes bool     `yaml:"lazy_quotes"` // whether quotes may stand in the middle of a value
	Header     []string `yaml:"header"`      // the columns of a CSV file that does not begin with them
}

// Validate returns what is wrong with a format.
func (f Format) Validate() error {
	if f.Format != "" && f.Format != CSV && f.Format != NDJSON {
		return fmt.Errorf("format must be csv or ndjson, not %q", f.Format)
	}
	if _, err := f.delimiter(); err != nil {
		return err
	}
	_, err := f.encoding()
	return err
}

// delimiter returns 0 for one that the content tells.
func (f Format) delimiter() (byte, error) {
	switch {
	case f.Delimiter == "":
		return 0, nil
	case len(f.Delimiter) != 1 || strings.ContainsAny(f.Delimiter, "\"\r\n") || f.Delimiter[0] >= 0x80:
		return 0, fmt.Errorf(`delimiter must be one ASCII character, such as ";" or "\t", not %q`, f.Delimiter)
	}
	return f.Delimiter[0], nil
}

// encoding returns nil for UTF-8.
func (f Format) encoding() (encoding.Encoding, error) {
	if f.Charset == "" {
		return nil, nil
	}
	found, err := htmlindex.Get(f.Charset)
	if err != nil {
		return nil, fmt.Errorf("unknown charset %q", f.Charset)
	}
	if name, err := htmlindex.Name(found); err == nil && name == "utf-8" {
		return nil, nil
	}
	return found, nil
}

// File is an open file.
type File struct {
	Name string
	Size int64 // in bytes; 0 if it is unknown
	read atomic.Int64
	raw  io.Closer
	text *bufio.Reader
	zstd *zstd.Decoder
}

// Read returns how many bytes of the file were read, compressed as they are.
func (f *File) Read() int64 { return f.read.Load() }

// Open opens a file, or stdin if its name is Stdin.
func Open(name string, stdin io.Reader, format Format) (*File, error) {
	f := &File{Name: name}
	raw := stdin
	if name != Stdin {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
			f.Size = info.Size()
		}
		raw, f.raw = file, file
	}
	if err := f.decode(&counter{raw, &f.read}, format); err != nil {
		_ = f.Close() // it was only read
		return nil, err
	}
	return f, nil
}

// Close closes the file.
func (f *File) Close() error {
	if f.zstd != nil {
		f.zstd.Close()
	}
	if f.raw != nil {
		return f.raw.Close()
	}
	return nil
}

// decode undoes the compression, which the first bytes tell, and the charset.
func (f *File) decode(raw io.Reader, format Format) error {
	packed := bufio.NewReaderSize(raw, 64<<10)
	magic, _ := packed.Peek(4) // fewer bytes are no magic number, and an error shows again when they are read
	var unpacked io.Reader = packed
	switch {
	case strings.HasPrefix(string(magic), "\x1f\x8b"):
		reader, err := gzip.NewReader(packed)
		if err != nil {
			return err
		}
		unpacked = reader
	case string(magic) == "\x28\xb5\x2f\xfd":
		reader, err := zstd.NewReader(packed, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20))
		if err != nil {
			return err
		}
		unpacked, f.zstd = reader, reader
	}
	text, err := decodeText(bufio.NewReaderSize(unpacked, MaxRow), format)
	if err != nil {
		return err
	}
	f.text = text
	return nil
}

// decodeText undoes the charset. A byte order mark says more than the declared charset.
func decodeText(text *bufio.Reader, format Format) (*bufio.Reader, error) {
	charset, err := format.encoding()
	if err != nil {
		return nil, err
	}
	mark, _ := text.Peek(3) // fewer bytes are no mark
	switch {
	case string(mark) == "\xef\xbb\xbf":
		_, err := text.Discard(len(mark))
		return text, err
	case strings.HasPrefix(string(mark), "\xff\xfe"), strings.HasPrefix(string(mark), "\xfe\xff"):
		charset = unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM)
	}
	if charset == nil {
		return text, nil
	}
	return bufio.NewReaderSize(charset.NewDecoder().Reader(text), MaxRow), nil
}

// counter counts what is read.
type counter struct {
	io.Reader

	n *atomic.Int64
}

// Read implements io.Reader.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n.Add(int64(n))
	return n, err
}
