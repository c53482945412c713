// Package channel has the rules of where digests and alerts are sent: by e-mail, or to a webhook.
package channel

import (
	"crypto/rand"
	"encoding/base64"
	"net/mail"
	"net/url"
	"strings"
	"unicode"

	"github.com/hp-analytics/hp-analytics/internal/platform/audit"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// Channel has either Recipients or a URL.
type Channel struct {
	Recipients []string // e-mail addresses
	URL        string   // of a webhook
}

// Of returns a channel as a request has it.
func Of[Address ~string](recipients *[]Address, address *string) Channel {
	c := Channel{Recipients: []string{}}
	if address != nil {
		c.URL = *address
	}
	if recipients != nil {
		for _, recipient := range *recipients {
			c.Recipients = append(c.Recipients, string(recipient))
		}
	}
	return c
}

// Problems returns what is wrong with a channel.
func (c *Channel) Problems() (problems []errs.Field) {
	add := func(pointer, code, detail string) {
		problems = append(problems, errs.Field{Pointer: pointer, Code: code, Detail: detail})
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
	return problems
}

func isWebhook(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != "" && u.User == nil && u.Fragment == "" && !strings.ContainsFunc(address, unicode.IsControl)
}

// Record adds a channel to an entry of the audit log. It names the host of a webhook without its path, which can hold a credential.
func (c *Channel) Record(details audit.Details) {
	if c.URL == "" {
		details["recipients"] = c.Recipients
		return
	}
	host := ""
	if u, err := url.Parse(c.URL); err == nil {
		host = u.Host
	}
	details["host"] = host
}

// NameProblems returns what is wrong with the name of a digest or alert, which becomes the subject of e-mails.
func NameProblems(name string) (problems []errs.Field) {
	if name == "" {
		problems = append(problems, errs.Field{Pointer: "/name", Code: "too_short", Detail: "Enter a name."})
	}
	if strings.ContainsFunc(name, unicode.IsControl) {
		problems = append(problems, errs.Field{Pointer: "/name", Code: "invalid_value", Detail: "A name has no control characters."})
	}
	return problems
}

// secretBytes is the length of a secret, as Standard Webhooks recommends.
const secretBytes = 32

// NewSecret returns the secret of a channel, as Standard Webhooks writes it. It is empty for e-mail.
func (c *Channel) NewSecret() string {
	if c.URL == "" {
		return ""
	}
	random := make([]byte, secretBytes)
	_, _ = rand.Read(random) // it never fails
	return "whsec_" + base64.StdEncoding.EncodeToString(random)
}
