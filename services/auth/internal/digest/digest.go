// Package digest has the rules of digests: who gets which numbers of a project, and when. The aggregator sends them.
package digest

import (
	"crypto/rand"
	"encoding/base64"
	"net/mail"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// MaxPerProject is how many digests a project has at most.
const MaxPerProject = 50

// Content is what members choose. It has either Recipients or a URL.
type Content struct {
	Name       string
	Every      string // day or week
	Hour       int
	Recipients []string
	URL        string
	Enabled    bool
}

// Digest is a digest as it is read, without its secret.
type Digest struct {
	Content

	ID        uuid.UUID
	Last      *Delivery // nil until one was planned
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Delivery is the digest of a period.
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
	var problems []errs.Field
	add := func(pointer, code, detail string) {
		problems = append(problems, errs.Field{Pointer: pointer, Code: code, Detail: detail})
	}
	c.Name = strings.TrimSpace(c.Name)
	if c.Name == "" {
		add("/name", "too_short", "Give the digest a name.")
	}
	if strings.ContainsFunc(c.Name, unicode.IsControl) {
		add("/name", "invalid_value", "A name has no control characters.")
	}
	if (len(c.Recipients) == 0) == (c.URL == "") {
		add("/recipients", "one_channel", "Send either e-mail addresses or the address of a webhook.")
	}
	for _, recipient := range c.Recipients {
		if address, err := mail.ParseAddress(recipient); err != nil || address.Address != recipient {
			add("/recipients", "invalid_value", "This is no e-mail address: "+recipient)
		}
	}
	if c.URL != "" && !isWebhook(c.URL) {
		add("/url", "invalid_value", "Enter an address that begins with https://, without a user, a password and a part behind #.")
	}
	if len(problems) > 0 {
		return Content{}, errs.New(errs.Invalid, "validation_failed", "The digest cannot be like this.", problems...)
	}
	if c.Recipients == nil {
		c.Recipients = []string{}
	}
	return c, nil
}

func isWebhook(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != "" && u.User == nil && u.Fragment == "" && !strings.ContainsFunc(address, unicode.IsControl)
}

// Host returns the host of the webhook.
func (c *Content) Host() string {
	u, err := url.Parse(c.URL)
	if err != nil {
		return ""
	}
	return u.Host
}

// secretBytes is the length of a secret, as Standard Webhooks recommends.
const secretBytes = 32

// NewSecret returns the secret of a webhook, as Standard Webhooks writes it.
func NewSecret() string {
	random := make([]byte, secretBytes)
	_, _ = rand.Read(random) // it never fails
	return "whsec_" + base64.StdEncoding.EncodeToString(random)
}
