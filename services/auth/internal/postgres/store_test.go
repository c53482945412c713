package postgres_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/audit"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/account"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/postgres"
)

func TestMain(m *testing.M) { platformtest.Main(m, dbtest.Stop) }

// command returns the context of the test as that of a command: the audit log has to say who does what.
func command(t *testing.T) context.Context { return audit.WithCommand(t.Context()) }

func newStore(t *testing.T) postgres.Store {
	t.Helper()
	return postgres.Store{Pool: dbtest.New(t).Pool("hp_auth")}
}

type tester struct {
	postgres.Store
	t *testing.T
}

// TestOneSigningKey lets replicas that start together ask for the first key: they must get the same.
func TestOneSigningKey(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	ids := make([]string, 8)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			keys, err := store.SigningKeys(command(t), time.Hour, time.Minute)
			if err != nil || len(keys) != 1 {
				t.Errorf("%d keys, %v", len(keys), err)
				return
			}
			ids[i] = keys[0].ID
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("replicas have different keys: %v", ids)
		}
	}
}

func TestSigningKeysRotate(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	first, err := store.SigningKeys(command(t), time.Hour, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	age := func(by string) {
		if _, err := store.Pool.Exec(command(t), `UPDATE auth.signing_keys SET created_at = created_at - $1::interval`, by); err != nil {
			t.Fatal(err)
		}
	}
	age("61 minutes")
	both, err := store.SigningKeys(command(t), time.Hour, time.Minute)
	if err != nil || len(both) != 2 || both[1].ID != first[0].ID {
		t.Fatalf("after the age limit: %d keys, %v; want a new one before the old one", len(both), err)
	}
	if !both[1].Private.Equal(first[0].Private) {
		t.Error("the key that was read is not the one that was made")
	}
	age("90 minutes") // longer than any token of the first one lives
	later, err := store.SigningKeys(command(t), time.Hour, time.Minute)
	if err != nil || len(later) != 2 || later[1].ID != both[0].ID {
		t.Errorf("90 minutes later: %d keys, %v; want a third before the second, and the first gone", len(later), err)
	}
}

// TestOnlyHashesAreStored looks for secrets in the whole schema.
func TestOnlyHashesAreStored(t *testing.T) {
	t.Parallel()
	s := tester{newStore(t), t}
	user := s.account("ada@example.com")
	refresh, key := s.login(user), authn.NewKey()
	k, err := account.NewAPIKey(account.KeyRequest{Name: "shop", Scopes: []authn.Scope{authn.ScopeRead}}, key, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateKey(command(t), key, s.admin("root@example.com"), k); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{refresh, key} {
		var found bool
		const query = `
			SELECT EXISTS (SELECT FROM auth.refresh_tokens t WHERE t::text LIKE $1 OR t.token_hash = convert_to($2, 'UTF8'))
			    OR EXISTS (SELECT FROM auth.api_keys k WHERE k::text LIKE $1 OR k.key_hash = convert_to($2, 'UTF8'))`
		if err := s.Pool.QueryRow(command(t), query, "%"+secret+"%", secret).Scan(&found); err != nil || found {
			t.Errorf("a secret is stored as it is: %v", err)
		}
	}
}

func TestUnicodeAddresses(t *testing.T) {
	t.Parallel()
	s := tester{newStore(t), t}
	for _, email := range []string{"ÄDA@Exämple.com", "İpek@example.com", "\u212Aelvin@example.com"} { // the last is the Kelvin sign
		a, err := account.New(email, "correct horse battery", "", authn.User)
		if err != nil {
			t.Fatalf("%s: %v", email, err)
		}
		a.PasswordHash = "x"
		if _, err := s.CreateAccount(command(t), a); err != nil {
			t.Errorf("%s: %v", email, err)
		}
		if _, err := s.CreateAccount(command(t), a); !errs.Is(err, errs.Conflict) && !errs.Is(err, errs.Internal) {
			t.Errorf("%s twice: %v", email, err)
		}
		if found, err := s.AccountByEmail(command(t), account.NormalizeEmail(email)); err != nil || found.ID != a.ID {
			t.Errorf("%s is not found: %v", email, err)
		}
	}
}
