package authn

import (
	"slices"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// PublicKeyPrefix starts every public key, which may stand in a web page.
const PublicKeyPrefix = "hpw_"

// AnyOrigin in the list of a public key allows the pages of all origins.
const AnyOrigin = "*"

// PublicKey says what may be sent with a public key. Everybody can read such a key in a page, so it has no right but to send what
// visitors do.
type PublicKey struct {
	Origins         []string // whose pages may send, such as https://shop.example, or AnyOrigin
	DefaultSKU      string   // the product of events that name none; empty for none
	EventsPerMinute int      // 0 for the setting of the installation
	DropBots        bool     // what crawlers and automated browsers send is dropped
}

// NewPublicKey returns a new public key, in the form of a secret one.
func NewPublicKey() string { return newKey(PublicKeyPrefix) }

var (
	errOrigin = errs.New(errs.Forbidden, "origin_not_allowed",
		"The public key does not allow pages of this origin. Make a key whose list of origins has the one in the header Origin.")
	errSecretInPage = errs.New(errs.Forbidden, "secret_key_in_browser",
		"A browser sent this secret API key, so visitors can read it. Revoke it, and use a public key (hpw_…) in pages: POST /auth/api-keys with the kind public.")
)

// From returns an error if the caller may not call from a page of an origin, which is the value of the header Origin: secret API keys may
// not stand in any page, and public keys only in those that they allow. A request without the header comes from no page of another origin.
func (p Principal) From(origin string) error {
	switch {
	case origin == "" || p.IsUser() || p.Link != nil:
		return nil
	case p.Public == nil:
		return errSecretInPage
	case slices.Contains(p.Public.Origins, origin) || slices.Contains(p.Public.Origins, AnyOrigin):
		return nil
	default:
		return errOrigin
	}
}
