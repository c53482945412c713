// Package annotation has the rules of annotations: what members of a project note about its days and instants.
package annotation

import (
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// MaxPerProject is how many annotations a project has at most. So all of them can be read at once.
const MaxPerProject = 1000

// The years of annotations, as those of reports.
const (
	firstYear = 1970
	lastYear  = 9998
)

// Annotation is an annotation as it is read.
type Annotation struct {
	ID        uuid.UUID
	Day       time.Time  // the date in UTC; of an instant, the day that the clocks of the project show
	At        *time.Time // nil for a whole day
	Text      string
	Author    *string // a name without the domain of an e-mail address; nil for a key without an account
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Content is what an author writes. One of Day and At is set.
type Content struct {
	Day  *time.Time // a date in UTC
	At   *time.Time
	Text string
}

// Check returns the content without space around its text, or an Invalid error.
func (c Content) Check() (Content, error) {
	var problems []errs.Field
	add := func(pointer, code, detail string) {
		problems = append(problems, errs.Field{Pointer: pointer, Code: code, Detail: detail})
	}
	c.Text = strings.TrimSpace(c.Text)
	if c.Text == "" {
		add("/text", "too_short", "Say what happened.")
	}
	if strings.ContainsFunc(c.Text, unicode.IsControl) {
		add("/text", "invalid_value", "The text is one line without control characters.")
	}
	if (c.Day == nil) == (c.At == nil) {
		add("/day", "one_time", "Send either a day or an instant.")
	}
	if outOfTime(c.Day) {
		add("/day", "out_of_range", rangeDetail)
	}
	if outOfTime(c.At) {
		add("/at", "out_of_range", rangeDetail)
	}
	if len(problems) > 0 {
		return Content{}, errs.New(errs.Invalid, "validation_failed", "The annotation cannot be like this.", problems...)
	}
	return c, nil
}

const rangeDetail = "Annotations are about times from 1970 to 9998."

func outOfTime(at *time.Time) bool {
	return at != nil && (at.UTC().Year() < firstYear || at.UTC().Year() > lastYear)
}

// Range are the days that are read, both inclusive. Nil stands for all days on that side.
type Range struct{ From, To *time.Time }
