// Package share has the rules of share links: a link shows one report of a project, with filters that its holder cannot change, to
// whoever has its address and, if it has one, its password.
package share

import (
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

const (
	// maxLife is how far in the future a link may expire.
	maxLife = 366 * 24 * time.Hour
	// maxDays is the longest range of a report; by the hour it is maxHourlyDays.
	maxDays       = 400
	maxHourlyDays = 31
)

// Kind says which report a link shows.
type Kind string

// The kinds.
const (
	Overview Kind = "overview" // of the project
	Product  Kind = "product"  // the series of a product
)

// Report is a report with all its filters. It is stored as JSON, and analytics reads it.
type Report struct {
	Kind      Kind       `json:"kind"`
	ProductID *uuid.UUID `json:"product_id,omitempty"`
	From      string     `json:"from,omitempty"` // a date; empty if Days is set
	To        string     `json:"to,omitempty"`
	Days      int        `json:"days,omitempty"` // the last days of the project, today included; 0 if From and To are set
	Interval  string     `json:"interval"`
}

// Request says what a link shall be.
type Request struct {
	Name      string
	Report    Report
	ExpiresAt time.Time
}

// Link is a share link as listed. Its secret is not stored.
type Link struct {
	ID           uuid.UUID
	Name         string
	Report       Report
	PasswordHash string
	ProjectName  string
	Account      string // e-mail address of its maker
	Stopped      bool   // the maker may not share reports of the project at present, so the link does not work
	CreatedAt    time.Time
	ExpiresAt    time.Time
	RevokedAt    *time.Time
}

// Works reports whether the link can be used at a time.
func (l *Link) Works(at time.Time) bool {
	return !l.Stopped && l.RevokedAt == nil && l.ExpiresAt.After(at)
}

// New validates a request and returns the link, without the hash of its password.
func New(r Request, now time.Time) (Link, error) {
	r.Name = strings.TrimSpace(r.Name)
	problems := r.Report.problems()
	add := func(pointer, code, detail string) {
		problems = append(problems, errs.Field{Pointer: pointer, Code: code, Detail: detail})
	}
	if r.Name == "" {
		add("/name", "too_short", "Say what the link is for.")
	}
	if strings.ContainsFunc(r.Name, unicode.IsControl) {
		add("/name", "invalid_value", "A name has no control characters.")
	}
	switch {
	case !r.ExpiresAt.After(now):
		add("/expires_at", "in_the_past", "The link would have expired already.")
	case r.ExpiresAt.Sub(now) > maxLife:
		add("/expires_at", "too_late", "A link expires at most 366 days from now.")
	}
	if len(problems) > 0 {
		return Link{}, errs.New(errs.Invalid, "validation_failed", "The link cannot be made like this.", problems...)
	}
	return Link{ID: uuid.Must(uuid.NewV7()), Name: r.Name, Report: r.Report, ExpiresAt: r.ExpiresAt}, nil
}

// problems returns what is wrong with a report. The contract has checked its fields one by one.
func (r *Report) problems() (problems []errs.Field) {
	add := func(name, code, detail string) {
		problems = append(problems, errs.Field{Pointer: "/report" + name, Code: code, Detail: detail})
	}
	if r.Kind == Product && r.ProductID == nil {
		add("/product_id", "required", "Name the product of the report.")
	}
	if r.Kind == Overview && r.ProductID != nil {
		add("/product_id", "not_allowed", "An overview is about the whole project. Leave the product away.")
	}
	days := r.Days
	switch {
	case r.Days == 0 && (r.From == "" || r.To == ""), r.Days != 0 && (r.From != "" || r.To != ""):
		add("/days", "one_range", "Send either days, or both from and to.")
		return problems
	case r.Days == 0:
		from, fromErr := time.Parse(time.DateOnly, r.From)
		to, toErr := time.Parse(time.DateOnly, r.To)
		if fromErr != nil || toErr != nil || to.Before(from) {
			add("/to", "invalid_range", "The range ends before it begins.")
			return problems
		}
		if from.Year() < 1970 || to.Year() > 9998 {
			add("/from", "range_out_of_time", "The days of a report lie between 1970-01-01 and 9998-12-31.")
		}
		days = int(to.Sub(from)/(24*time.Hour)) + 1
	}
	if days > maxDays || days > maxHourlyDays && r.Interval == "hour" {
		add("/days", "range_too_long", "A report spans at most 400 days, or 31 by the hour.")
	}
	return problems
}
