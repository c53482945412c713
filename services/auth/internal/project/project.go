// Package project holds the rules of projects: what their settings may be, and how they change.
package project

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/internal/money"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// The codes of errors about projects.
const (
	SlugTaken          = "slug_taken"
	UnknownProject     = "unknown_project"
	UnknownMember      = "unknown_member"
	LastOwner          = "last_owner"
	InvitationRequired = "invitation_required"
	Archived           = "project_archived"
)

// MaxZone is how many characters the name of a time zone may have.
const MaxZone = 64

// Settings are what can be changed of a project.
type Settings struct {
	Name     string
	TimeZone string // IANA name
	Currency string // ISO 4217 code
	// WeekStart is the day on which weeks begin: 1 is Monday, 7 is Sunday.
	WeekStart int
	// MaxEventAgeDays is nil for the setting of the installation.
	MaxEventAgeDays *int
	// EventsPerSecond is nil for no limit.
	EventsPerSecond *int
	// Archived projects can be read, take no changes but the end of this, and have no keys that work.
	Archived bool
}

// Project is a project with the role that the reader has in it.
type Project struct {
	Settings
	ID        int16
	Slug      string
	Version   int64
	CreatedAt time.Time
	UpdatedAt time.Time
	Role      authn.Role // empty if the reader is no member
	// ArchivedAt is nil unless the project is archived.
	ArchivedAt *time.Time
	// ZoneChange is the last change of the time zone; nil if there was none.
	ZoneChange *ZoneChange
}

// Change is a change of settings. Nil leaves a setting as it is.
type Change struct {
	Name            *string
	TimeZone        *string
	Currency        *string
	WeekStart       *int
	MaxEventAgeDays **int // points to nil to clear
	EventsPerSecond **int // points to nil to clear
	Archived        *bool
}

// others reports whether anything but Archived is to change.
func (c Change) others() bool {
	c.Archived = nil
	return c != Change{}
}

// errArchived is the answer to a change of an archived project that leaves it archived.
var errArchived = errs.New(errs.Forbidden, Archived, "The project is archived. Unarchive it first, or with the same change: {\"archived\": false}.")

// Defaults are the settings of a project whose maker only names it, as in the table auth.projects.
func Defaults(name string) Settings {
	return Settings{Name: name, TimeZone: "UTC", Currency: "EUR", WeekStart: 1}
}

// Apply returns the settings after a change, or an Invalid error, or Forbidden if the project is archived and stays so.
func (s Settings) Apply(c Change) (Settings, error) {
	if s.Archived && (c.Archived == nil || *c.Archived) && c.others() {
		return Settings{}, errArchived
	}
	set(&s.Archived, c.Archived)
	set(&s.Name, c.Name)
	set(&s.TimeZone, c.TimeZone)
	set(&s.Currency, c.Currency)
	set(&s.WeekStart, c.WeekStart)
	set(&s.MaxEventAgeDays, c.MaxEventAgeDays)
	set(&s.EventsPerSecond, c.EventsPerSecond)
	s.Name = strings.TrimSpace(s.Name)
	if problems := s.problems(); len(problems) > 0 {
		return Settings{}, errs.New(errs.Invalid, "validation_failed", "The project cannot be like this.", problems...)
	}
	return s, nil
}

func set[T any](target, value *T) {
	if value != nil {
		*target = *value
	}
}

// The limits of settings, as in the table auth.projects and in openapi.yaml.
const (
	maxName       = 200
	maxEventAge   = 3650
	maxPerSecond  = 1_000_000
	daysInTheWeek = 7
)

func (s Settings) problems() (problems []errs.Field) {
	problem := func(pointer, code, detail string) {
		problems = append(problems, errs.Field{Pointer: pointer, Code: code, Detail: detail})
	}
	if n := len([]rune(s.Name)); n == 0 || n > maxName || strings.ContainsFunc(s.Name, unicode.IsControl) {
		problem("/name", "invalid_value", "A name has 1 to 200 characters and no control characters.")
	}
	if _, err := localtime.Load(s.TimeZone); err != nil || len(s.TimeZone) > MaxZone {
		problem("/time_zone", "unknown_time_zone", "This is no IANA time zone, such as Europe/Berlin.")
	}
	if _, err := money.Parse(s.Currency); err != nil {
		problem("/currency", "unknown_currency", "This "+err.Error()+".")
	}
	if s.WeekStart < 1 || s.WeekStart > daysInTheWeek {
		problem("/week_start", "out_of_range", "Weeks begin on a day from 1 (Monday) to 7 (Sunday).")
	}
	if n := s.MaxEventAgeDays; n != nil && (*n < 1 || *n > maxEventAge) {
		problem("/max_event_age_days", "out_of_range", fmt.Sprintf("Must be from 1 to %d days.", maxEventAge))
	}
	if n := s.EventsPerSecond; n != nil && (*n < 1 || *n > maxPerSecond) {
		problem("/events_per_second", "out_of_range", fmt.Sprintf("Must be from 1 to %d.", maxPerSecond))
	}
	return problems
}

// CheckSlug returns an Invalid error unless a project can have this name.
func CheckSlug(slug string) error {
	if authn.IsSlug(slug) {
		return nil
	}
	return errs.New(errs.Invalid, "validation_failed", "The project cannot be like this.", errs.Field{
		Pointer: "/slug", Code: "invalid_format", Detail: "The name of a project has 1 to 63 lower-case letters, digits and, between them, hyphens.",
	})
}
