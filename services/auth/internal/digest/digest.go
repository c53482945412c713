// Package digest has the rules of digests: who gets which numbers of a project, and when. The aggregator sends them.
package digest

import (
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/channel"
)

// MaxPerProject is how many digests a project has at most.
const MaxPerProject = 50

// Content is what members choose.
type Content struct {
	channel.Channel

	Name    string
	Every   string // day or week
	Hour    int
	Enabled bool
}

// Digest is a digest as it is read, without its secret.
type Digest struct {
	Content

	ID        uuid.UUID
	Last      *Delivery // nil until one was planned
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Delivery is the digest of a period, or the notification of an alert.
type Delivery struct {
	Test     bool
	First    time.Time // a date in UTC
	Last     time.Time
	State    string // waiting, sending, sent or failed
	Attempts int
	Failure  string
	Complete bool
	At       time.Time // when it was done, or is tried next
}

// Check returns the content without space around its texts, or an Invalid error.
func (c Content) Check() (Content, error) {
	c.Name = strings.TrimSpace(c.Name)
	if problems := append(channel.NameProblems(c.Name), c.Problems()...); len(problems) > 0 {
		return Content{}, errs.New(errs.Invalid, "validation_failed", "The digest cannot be like this.", problems...)
	}
	return c, nil
}
