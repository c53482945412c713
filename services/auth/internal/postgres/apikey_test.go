package postgres_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/account"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/postgres"
)

// admin makes an account that may make keys, and returns it as a caller.
func (s tester) admin(email string) authn.Principal {
	s.t.Helper()
	a := s.account(email)
	a.Role = authn.Admin
	if err := s.PutAccount(command(s.t), a); err != nil {
		s.t.Fatal(err)
	}
	return authn.Principal{
		Subject: a.ID.String(), Owner: a.ID.String(), Role: authn.Owner, AccountRole: authn.Admin, Project: authn.Project{ID: authn.DefaultProject},
	}
}

// tryKey creates an API key and returns it as a service finds it.
func (s tester) tryKey(maker authn.Principal, request account.KeyRequest) (authn.Principal, error) {
	key := authn.NewKey()
	request.Name = "test"
	k, err := account.NewAPIKey(request, key, time.Now())
	if err != nil {
		s.t.Error(err)
		return authn.Principal{}, err
	}
	if _, err := s.CreateKey(command(s.t), key, maker, k); err != nil {
		return authn.Principal{}, err
	}
	found, err := authn.NewPostgres(s.Pool).FindKey(command(s.t), key)
	return found.Principal, err
}

var (
	adminKey      = account.KeyRequest{Scopes: []authn.Scope{authn.ScopeAdmin}}
	delegatingKey = account.KeyRequest{Scopes: []authn.Scope{authn.ScopeAdmin}, Delegate: true}
	readKey       = account.KeyRequest{Scopes: []authn.Scope{authn.ScopeRead}}
)

// makeKey creates an API key, which must succeed.
func (s tester) makeKey(maker authn.Principal, request account.KeyRequest) authn.Principal {
	s.t.Helper()
	key, err := s.tryKey(maker, request)
	if err != nil {
		s.t.Fatal(err)
	}
	return key
}

func TestKeysActForTheAccountOfTheirMaker(t *testing.T) {
	t.Parallel()
	s := tester{newStore(t), t}
	user := s.admin("ada@example.com")
	key := s.makeKey(user, adminKey)
	if next := s.makeKey(key, readKey); key.Owner != user.Owner || next.Owner != user.Owner {
		t.Errorf("the owners are %s and, of a key made by the key, %s; want the user %s", key.Owner, next.Owner, user.Owner)
	}
}

// TestRevokingAKeyRevokesWhatItMade revokes the root of a tree of keys beside another tree of the same account.
func TestRevokingAKeyRevokesWhatItMade(t *testing.T) {
	t.Parallel()
	s := tester{newStore(t), t}
	user := s.admin("ada@example.com")
	root := s.makeKey(user, delegatingKey)
	child := s.makeKey(root, delegatingKey)
	grandchild, other := s.makeKey(child, adminKey), s.makeKey(user, readKey)
	leaf := s.makeKey(grandchild, readKey)
	s.makeKey(root, readKey)
	for _, step := range []struct {
		key  authn.Principal
		want int
	}{{grandchild, 2}, {root, 3}, {root, 0}} {
		if n, err := s.RevokeKey(command(t), authn.DefaultProject, uuid.MustParse(step.key.KeyID)); err != nil || n != step.want {
			t.Errorf("%d keys are revoked, %v; want %d", n, err, step.want)
		}
	}
	keys, err := s.Keys(command(t), authn.DefaultProject)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if revoked, want := k.RevokedAt != nil, k.ID.String() != other.KeyID; revoked != want {
			t.Errorf("the key %s of %s is revoked: %t", k.ID, k.CreatedBy, revoked)
		}
		if k.ID.String() == leaf.KeyID && k.CreatedBy != grandchild.ID() {
			t.Errorf("created by %s, want %s", k.CreatedBy, grandchild.ID())
		}
	}
}

// TestNoKeySurvivesItsMaker lets everything that ends the rights of a key meet the creation of a key with it, in both orders.
func TestNoKeySurvivesItsMaker(t *testing.T) {
	t.Parallel()
	ends := map[string]func(s tester, user, key authn.Principal) error{
		"revocation": func(s tester, _, key authn.Principal) error {
			_, err := s.RevokeKey(command(s.t), authn.DefaultProject, uuid.MustParse(key.KeyID))
			return err
		},
		"revocation of its maker": func(s tester, _, key authn.Principal) error {
			var parent uuid.UUID
			if err := s.Pool.QueryRow(command(s.t), `SELECT parent FROM auth.api_keys WHERE id = $1`, key.KeyID).Scan(&parent); err != nil {
				return err
			}
			_, err := s.RevokeKey(command(s.t), authn.DefaultProject, parent)
			return err
		},
		"another role of the account": func(s tester, user, _ authn.Principal) error {
			return s.PutAccount(command(s.t), account.Account{
				ID: uuid.MustParse(user.Subject), Email: "ada@example.com", Role: authn.Analyst, PasswordHash: "y",
			})
		},
		"the account is disabled": func(s tester, user, _ authn.Principal) error {
			_, err := s.Pool.Exec(command(s.t), `UPDATE auth.users SET disabled_at = now() WHERE id = $1`, user.Subject)
			return err
		},
	}
	const working = `
		SELECT count(*)
		FROM auth.api_keys k JOIN auth.users u ON u.id = k.owner
		WHERE k.revoked_at IS NULL AND u.role = 'admin' AND u.disabled_at IS NULL AND 'read' = ANY (k.scopes)`
	for name, end := range ends {
		for _, endFirst := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s first=%t", name, endFirst), func(t *testing.T) {
				t.Parallel()
				s := tester{newStore(t), t}
				user := s.admin("ada@example.com")
				key := s.makeKey(s.makeKey(user, delegatingKey), adminKey)
				var made error
				calls := []func(){
					func() { made = s.createOnly(key) },
					func() {
						if err := end(s, user, key); err != nil {
							t.Error(err)
						}
					},
				}
				if endFirst {
					calls[0], calls[1] = calls[1], calls[0]
				}
				s.inTurn(`SELECT FROM auth.users FOR UPDATE`, calls...)
				if (made != nil) != endFirst {
					t.Errorf("the creation is answered with %v", made)
				}
				var left int
				if err := s.Pool.QueryRow(command(t), working).Scan(&left); err != nil || left != 0 {
					t.Errorf("%d keys work, %v", left, err)
				}
			})
		}
	}
}

// createOnly creates a key with the scope read, and does not look for it.
func (s tester) createOnly(maker authn.Principal) error {
	key := authn.NewKey()
	k, err := account.NewAPIKey(account.KeyRequest{Name: "test", Scopes: readKey.Scopes}, key, time.Now())
	if err == nil {
		_, err = s.CreateKey(command(s.t), key, maker, k)
	}
	return err
}

// TestAKeyHasNoMoreRightsThanItsMaker checks the flag delegate, the expiry, and the account.
func TestAKeyHasNoMoreRightsThanItsMaker(t *testing.T) {
	t.Parallel()
	s := tester{newStore(t), t}
	user := s.admin("ada@example.com")
	soon, later := time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)
	until := func(request account.KeyRequest, at time.Time) account.KeyRequest {
		request.ExpiresAt = &at
		return request
	}
	plain, delegating := s.makeKey(user, adminKey), s.makeKey(user, until(delegatingKey, soon))
	reader := s.makeKey(user, readKey)
	stranger := s.account("bob@example.com").ID.String()
	for name, test := range map[string]struct {
		maker   authn.Principal
		request account.KeyRequest
		code    string
	}{
		"an admin key makes an admin key":      {plain, adminKey, "delegation_required"},
		"an admin key delegates":               {plain, delegatingKey, "delegation_required"},
		"a key outlives its maker":             {delegating, until(readKey, later), "validation_failed"},
		"a key without the scope admin":        {reader, readKey, "invalid_api_key"},
		"a token of an account without rights": {authn.Principal{Subject: stranger, Owner: stranger, Role: authn.Owner, AccountRole: authn.User}, readKey, "forbidden"},
		"a key without an account":             {authn.Principal{KeyID: plain.KeyID, Owner: plain.KeyID}, readKey, "forbidden"},
	} {
		if _, err := s.tryKey(test.maker, test.request); errs.CodeOf(err) != test.code {
			t.Errorf("%s: %v, want %s", name, err, test.code)
		}
	}
	s.makeKey(plain, readKey)
	heir := s.makeKey(s.makeKey(delegating, delegatingKey), adminKey)
	var expires time.Time
	if err := s.Pool.QueryRow(command(t), `SELECT expires_at FROM auth.api_keys WHERE id = $1`, heir.KeyID).Scan(&expires); err != nil {
		t.Fatal(err)
	}
	if expires.Sub(soon).Abs() > time.Millisecond {
		t.Errorf("a key made by an expiring one expires at %s, want %s", expires, soon)
	}
}

// TestUseIsRecordedOncePerMinute looks a key up often. The row is written once a minute, if that costs no wait.
func TestUseIsRecordedOncePerMinute(t *testing.T) {
	t.Parallel()
	s := tester{newStore(t), t}
	user, key := s.admin("ada@example.com"), authn.NewKey()
	k, err := account.NewAPIKey(account.KeyRequest{Name: "test", Scopes: readKey.Scopes}, key, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateKey(command(t), key, user, k); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		before   string // last_used_at, relative to the look-ups
		recorded bool
	}{
		"never used":        {"NULL", true},
		"used a minute ago": {"now() - interval '61 s'", true},
		"used just now":     {"now() + interval '1 hour'", false}, // however long the test takes
	} {
		if _, err := s.Pool.Exec(command(t), `UPDATE auth.api_keys SET last_used_at = `+test.before); err != nil {
			t.Fatal(err)
		}
		before := s.keyVersion()
		if !test.recorded {
			s.findKey(s.Pool, key)
			if s.keyVersion() != before {
				t.Errorf("%s: the use is recorded", name)
			}
			continue
		}
		platformtest.Eventually(t, time.Minute, name+": the use is recorded", func() bool { // not if that takes long
			s.findKey(s.Pool, key)
			return s.keyVersion() != before
		})
	}
	if _, err := s.Pool.Exec(command(t), `UPDATE auth.api_keys SET last_used_at = NULL`); err != nil {
		t.Fatal(err)
	}
	t.Run("Postgres accepts no writes", func(t *testing.T) {
		s.findKey(s.readOnly(), key)
	})
	t.Run("somebody changes the key", func(t *testing.T) {
		tx, err := s.Pool.Begin(command(t))
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback(context.WithoutCancel(command(t)))
		if _, err := tx.Exec(command(t), `UPDATE auth.api_keys SET name = 'new'`); err != nil {
			t.Fatal(err)
		}
		s.findKey(s.Pool, key) // waits for ever if it waits for tx
	})
	t.Run("somebody locks the table", func(t *testing.T) {
		tx, err := s.Pool.Begin(command(t))
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback(context.WithoutCancel(command(t)))
		if _, err := tx.Exec(command(t), `LOCK TABLE auth.api_keys IN SHARE MODE`); err != nil {
			t.Fatal(err)
		}
		s.findKey(s.Pool, key) // waits for ever if it waits for tx
	})
}

// TestRecordingUseWaitsForNoStandby looks at the synchronous_commit of the transaction that records a use.
func TestRecordingUseWaitsForNoStandby(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	owner := database.Pool("")
	const wait = `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = on', current_database()); END $$`
	if _, err := owner.Exec(command(t), wait); err != nil {
		t.Fatal(err)
	}
	s := tester{postgres.Store{Pool: database.Pool("hp_auth")}, t}
	user, key := s.admin("ada@example.com"), authn.NewKey()
	k, err := account.NewAPIKey(account.KeyRequest{Name: "test", Scopes: readKey.Scopes}, key, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateKey(command(t), key, user, k); err != nil {
		t.Fatal(err)
	}
	const watch = `
		CREATE TABLE public.commits (synchronous text);
		CREATE FUNCTION public.watch() RETURNS trigger SECURITY DEFINER LANGUAGE plpgsql AS $$ BEGIN
			INSERT INTO public.commits VALUES (current_setting('synchronous_commit'));
			RETURN NULL;
		END $$;
		CREATE CONSTRAINT TRIGGER watch AFTER UPDATE ON auth.api_keys DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.watch()`
	if _, err := owner.Exec(command(t), watch); err != nil {
		t.Fatal(err)
	}
	var got string
	platformtest.Eventually(t, time.Minute, "the use is recorded", func() bool { // not if that takes long
		s.findKey(s.Pool, key)
		return owner.QueryRow(command(t), `SELECT synchronous FROM public.commits`).Scan(&got) == nil
	})
	if got != "off" {
		t.Errorf("synchronous_commit is %s", got)
	}
}

func (s tester) findKey(pool *pgxpool.Pool, key string) {
	s.t.Helper()
	if _, err := authn.NewPostgres(pool).FindKey(command(s.t), key); err != nil {
		s.t.Error(err)
	}
}

// keyVersion returns the version of the row of the only key.
func (s tester) keyVersion() (version string) {
	s.t.Helper()
	if err := s.Pool.QueryRow(command(s.t), `SELECT xmin::text FROM auth.api_keys`).Scan(&version); err != nil {
		s.t.Fatal(err)
	}
	return version
}

// readOnly returns a pool of sessions that refuse writes.
func (s tester) readOnly() *pgxpool.Pool {
	s.t.Helper()
	cfg := s.Pool.Config()
	connected := cfg.AfterConnect
	cfg.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		if connected != nil {
			if err := connected(ctx, conn); err != nil {
				return err
			}
		}
		_, err := conn.Exec(ctx, `SET default_transaction_read_only = on`)
		return err
	}
	pool, err := pgxpool.NewWithConfig(command(s.t), cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(pool.Close)
	return pool
}
