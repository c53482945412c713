package postgres_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/account"
)

// makeKey creates an API key and returns it as a service sees its caller.
func (s tester) makeKey(maker authn.Principal) authn.Principal {
	s.t.Helper()
	key := authn.NewKey()
	k, err := account.NewAPIKey("test", key, []authn.Scope{authn.ScopeAdmin})
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.CreateKey(s.t.Context(), key, maker, k); err != nil {
		s.t.Fatal(err)
	}
	found, err := authn.PostgresKeys{Pool: s.Pool}.FindKey(s.t.Context(), key)
	if err != nil {
		s.t.Fatal(err)
	}
	return found
}

func TestKeysActForTheAccountOfTheirMaker(t *testing.T) {
	t.Parallel()
	s := tester{newStore(t), t}
	user := s.account("ada@example.com").ID.String()
	key := s.makeKey(authn.Principal{Subject: user, Owner: user, Role: authn.Admin})
	if next := s.makeKey(key); key.Owner != user || next.Owner != user {
		t.Errorf("the owners are %s and, of a key made by the key, %s; want the user %s", key.Owner, next.Owner, user)
	}
	if _, err := s.Pool.Exec(t.Context(), `UPDATE auth.api_keys SET owner = NULL WHERE id = $1`, uuid.MustParse(key.KeyID)); err != nil {
		t.Fatal(err)
	}
	// The key has no account any more. A key that it makes acts for it.
	if next := s.makeKey(authn.Principal{KeyID: key.KeyID, Owner: key.KeyID}); next.Owner != key.KeyID {
		t.Errorf("owner %s, want the key %s", next.Owner, key.KeyID)
	}
}
