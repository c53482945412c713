package authn

import "testing"

func TestLinkKey(t *testing.T) {
	t.Parallel()
	secret := NewLinkSecret()
	plain, locked := LinkKey(secret, ""), LinkKey(secret, "$argon2id$…")
	if !IsLinkSecret(secret) || IsLinkSecret(plain) || IsLinkSecret(NewKey()) || !wellFormed(plain, LinkKeyPrefix) {
		t.Errorf("the forms of %s and %s", secret, plain)
	}
	if plain == locked || plain != LinkKey(secret, "") || plain == LinkKey(NewLinkSecret(), "") {
		t.Errorf("the key %s does not depend on the secret and the password", plain)
	}
}

// TestScopeOfLinks checks that no key has the scope of share links, and that these have no other.
func TestScopeOfLinks(t *testing.T) {
	t.Parallel()
	link := Principal{KeyID: "l1", Link: &Link{}, Scopes: []Scope{ScopeAdmin}}
	key := Principal{KeyID: "k1", Scopes: []Scope{ScopeAdmin}}
	for scope, ofLink := range map[Scope]bool{ScopeShared: true, ScopeRead: false, ScopeIngest: false, ScopeAdmin: false} {
		if link.HasScope(scope) != ofLink || key.HasScope(scope) == ofLink {
			t.Errorf("%s: a link has it: %t, a key has it: %t", scope, link.HasScope(scope), key.HasScope(scope))
		}
	}
	if link.ID() != "link:l1" || link.IsUser() {
		t.Errorf("%s, a user: %t", link.ID(), link.IsUser())
	}
}

// TestLinksAreUnknownElsewhere checks that only a verifier that accepts links knows their keys.
func TestLinksAreUnknownElsewhere(t *testing.T) {
	t.Parallel()
	key := LinkKey(NewLinkSecret(), "")
	v := &Verifier{keys: newKeyCache(nil)}
	defer v.keys.stop()
	if v.credentials(key) != nil {
		t.Error("a verifier knows links")
	}
	v.AcceptLinks(nil)
	defer v.links.stop()
	if v.credentials(key) != v.links || v.credentials(NewKey()) != v.keys {
		t.Error("a verifier mistakes links for keys")
	}
}
