package authn

import (
	"crypto/sha256"
	"time"
)

// tokenHash identifies an access token in the cache, whose size therefore does not depend on what callers send.
type tokenHash = [sha256.Size]byte

// Recall returns the caller with an Authorization header in the project with a slug, as Authenticate and Enter do, if all of
// that is remembered. It waits for nothing. Empty texts are as for Authenticate and Enter: a request without the header is
// anonymous.
func (v *Verifier) Recall(header, slug string) (Principal, bool) {
	var caller Principal
	if header != "" {
		var ok bool
		if caller, ok = v.recallCaller(header); !ok {
			return Principal{}, false
		}
	}
	switch {
	case caller.KeyID != "":
		return caller, slug == "" || slug == caller.Project.Slug
	case v.places.cache == nil:
		return Principal{}, false
	}
	places, ok := v.places.cache.GetIfPresent(placeKey{user: caller.Subject, slug: slug})
	if !ok || len(places) != 1 {
		return Principal{}, false
	}
	if caller.Subject == "" {
		return Principal{Project: places[0].Project, Guest: true}, slug == ""
	}
	return caller.in(places[0])
}

func (v *Verifier) recallCaller(header string) (Principal, bool) {
	credential, keys, ok := v.presented(header)
	if !ok {
		return Principal{}, false
	}
	if keys != nil {
		k, ok := keys.known.GetIfPresent(sha256.Sum256([]byte(credential)))
		return k.Principal, ok && !k.expired()
	}
	t, ok := v.tokens.GetIfPresent(sha256.Sum256([]byte(credential)))
	return t.principal, ok && time.Now().Before(t.expires)
}

// expired reports whether the key has an end that has come.
func (k *Key) expired() bool { return !k.Expires.IsZero() && !time.Now().Before(k.Expires) }

// in returns a user in a project, and false if the user may not act there.
func (p Principal) in(place Membership) (Principal, bool) {
	p.Project = place.Project
	switch {
	case p.AccountRole == Admin:
		p.Role = Owner
	case place.Role != "":
		p.Role = place.Role
	case place.Project.ID == DefaultProject:
		p.Role, p.Guest = User, true
	default:
		return Principal{}, false
	}
	return p, true
}
