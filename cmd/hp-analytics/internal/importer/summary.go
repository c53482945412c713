package importer

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer/group"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer/mapping"
)

// Counts is what became of the items of a kind.
type Counts struct {
	Imported int64 `json:"imported"`
	Known    int64 `json:"known"` // they were imported before
	Refused  int64 `json:"refused"`
}

// Summary is what an import did. It has what earlier runs did of the same import, if it was interrupted.
type Summary struct {
	Rows    int64                   `json:"rows"`
	Resumed int64                   `json:"-"` // rows of earlier runs
	Refused int64                   `json:"refused"`
	Items   map[mapping.Kind]Counts `json:"items"`
	Rejects []string                `json:"-"` // the files of refused rows
}

func (s *Summary) count(i group.Item, o Outcome) {
	if s.Items == nil {
		s.Items = map[mapping.Kind]Counts{}
	}
	s.Rows += int64(len(i.Rows))
	c := s.Items[i.Kind]
	switch o.Status {
	case Imported:
		c.Imported++
	case Known:
		c.Known++
	case Refused:
		c.Refused++
		s.Refused += int64(len(i.Rows))
	}
	s.Items[i.Kind] = c
}

func (s *Summary) add(other Summary) {
	if s.Items == nil {
		s.Items = map[mapping.Kind]Counts{}
	}
	for kind, counts := range other.Items {
		c := s.Items[kind]
		s.Items[kind] = Counts{c.Imported + counts.Imported, c.Known + counts.Known, c.Refused + counts.Refused}
	}
	s.Rows, s.Resumed, s.Refused = s.Rows+other.Rows, s.Resumed+other.Resumed, s.Refused+other.Refused
	s.Rejects = append(s.Rejects, other.Rejects...)
}

func (s *Summary) print(out io.Writer, took time.Duration) {
	fresh := s.Rows - s.Resumed
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(out, format+"\n", args...) } // a summary that nobody reads is no error
	line("%s rows in %s (%s rows/s)", grouped(fresh), took.Round(time.Millisecond), grouped(int64(float64(fresh)/max(took.Seconds(), 0.001))))
	if s.Resumed > 0 {
		line("%s rows were sent by earlier runs; the numbers below include them", grouped(s.Resumed))
	}
	for _, kind := range []mapping.Kind{mapping.Products, mapping.Events, mapping.Orders, mapping.Refunds, ""} {
		if c, ok := s.Items[kind]; ok {
			name := string(kind)
			if kind == "" {
				name = "unreadable"
			}
			line("  %-10s %12s imported %12s known before %12s refused", name, grouped(c.Imported), grouped(c.Known), grouped(c.Refused))
		}
	}
	if s.Refused > 0 {
		line("%s rows were refused: %s. Mend them there and import that file with the same mapping.", grouped(s.Refused), strings.Join(s.Rejects, ", "))
	}
	if s.Items[mapping.Events].Refused+s.Items[mapping.Orders].Refused+s.Items[mapping.Refunds].Refused > 0 {
		line("If the products were missing (unknown_product), import the products, and then that file as it is (with --again if you have imported it before).")
	}
}

// grouped writes n with separators of thousands.
func grouped(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
