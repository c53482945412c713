// Package view has the rules of saved views: states of pages of the dashboard that have a name.
package view

import (
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

const (
	// MaxPerAccount is how many views an account keeps in a project at most.
	MaxPerAccount = 100
	// MaxListed is how many views are listed at most.
	MaxListed = 1000
)

// View is a saved view as somebody reads it who may see it.
type View struct {
	Content

	ID        uuid.UUID
	Own       bool   // it belongs to the reader
	Owner     string // a name without the domain of an e-mail address
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Content is what its owner chooses.
type Content struct {
	Name    string
	Address string // the page and its state, below the address of the dashboard: /app/events?type=view
	Shared  bool   // all members of the project see it
}

// Check returns the content without space around its name, or an Invalid error.
func (c Content) Check() (Content, error) {
	var problems []errs.Field
	add := func(pointer, code, detail string) {
		problems = append(problems, errs.Field{Pointer: pointer, Code: code, Detail: detail})
	}
	c.Name = strings.TrimSpace(c.Name)
	if c.Name == "" {
		add("/name", "too_short", "Give the view a name.")
	}
	if strings.ContainsFunc(c.Name, unicode.IsControl) {
		add("/name", "invalid_value", "A name has no control characters.")
	}
	if !isPage(c.Address) {
		add("/address", "invalid_value", "This is no page of the dashboard. Send its path and query, such as /app/events?type=view.")
	}
	if len(problems) > 0 {
		return Content{}, errs.New(errs.Invalid, "validation_failed", "The view cannot be like this.", problems...)
	}
	return c, nil
}

// isPage reports whether an address leads to a page of the dashboard and to no other host, whoever opens it.
func isPage(address string) bool {
	if strings.ContainsFunc(address, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) || r == '\\' }) {
		return false
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Fragment != "" || u.Opaque != "" || strings.Contains(address, "#") {
		return false
	}
	for part := range strings.SplitSeq(u.Path, "/") {
		if part == "." || part == ".." {
			return false
		}
	}
	return u.Path == "/" || u.Path == "/app" || strings.HasPrefix(u.Path, "/app/")
}
