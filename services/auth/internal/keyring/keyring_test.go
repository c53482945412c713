package keyring

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/token"
)

// store answers with keys or an error, and counts the questions.
type store struct {
	keys  []token.SigningKey
	err   error
	asked int
}

func (s *store) load(context.Context) ([]token.SigningKey, error) {
	s.asked++
	return s.keys, s.err
}

func keyOf(age time.Duration) token.SigningKey {
	k := token.NewSigningKey()
	k.CreatedAt = time.Now().Add(-age)
	return k
}

func TestSigner(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		first := keyOf(0)
		s := &store{keys: []token.SigningKey{first}}
		ring := New(s.load)
		if got, err := ring.Signer(t.Context()); err != nil || got.ID != first.ID {
			t.Errorf("the only key does not sign: %v", err)
		}
		<-time.After(refresh)
		successor := keyOf(0)
		s.keys = []token.SigningKey{successor, first}
		if got, _ := ring.Signer(t.Context()); got.ID != first.ID {
			t.Error("the successor signs before every replica publishes it")
		}
		if keys, _ := ring.Keys(t.Context()); len(keys) != 2 {
			t.Errorf("%d keys are published, want both", len(keys))
		}
		<-time.After(lead)
		if got, _ := ring.Signer(t.Context()); got.ID != successor.ID {
			t.Error("the successor does not sign when its time has come")
		}
	})
}

func TestOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &store{err: errs.New(errs.Unavailable, "database_unavailable", "Later.")}
		ring := New(s.load)
		for range 100 {
			if _, err := ring.Signer(t.Context()); !errs.Is(err, errs.Unavailable) {
				t.Fatalf("without any key: %v", err)
			}
		}
		if ring.Ready(t.Context()) == nil {
			t.Error("ready without a key")
		}
		if s.asked != 1 {
			t.Errorf("the store was asked %d times within a second of its outage", s.asked)
		}

		<-time.After(pause)
		s.keys, s.err = []token.SigningKey{keyOf(0)}, nil
		if err := ring.Ready(t.Context()); err != nil {
			t.Errorf("a second later: %v", err)
		}
		s.err = errors.New("away again")
		<-time.After(24 * time.Hour)
		if _, err := ring.Signer(t.Context()); err != nil {
			t.Errorf("the keys at hand do not outlive an outage: %v", err)
		}
	})
}

func TestUnknownKeyID(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		first := keyOf(time.Hour)
		s := &store{keys: []token.SigningKey{first}}
		find := New(s.load).KeyfuncCtx(t.Context())
		signedBy := func(id string) *jwt.Token { return &jwt.Token{Header: map[string]any{"kid": id}} }
		if _, err := find(signedBy(first.ID)); err != nil {
			t.Fatal(err)
		}
		other := keyOf(0) // another replica makes one
		s.keys = append(s.keys, other)
		<-time.After(pause)
		if _, err := find(signedBy(other.ID)); err != nil {
			t.Errorf("the key of another replica: %v", err)
		}
		asked := s.asked
		for range 100 {
			if _, err := find(signedBy("made up")); err == nil {
				t.Fatal("a made-up key id is found")
			}
		}
		if _, err := find(&jwt.Token{Header: map[string]any{}}); err == nil {
			t.Error("no key id at all is found")
		}
		if s.asked > asked+1 {
			t.Errorf("made-up key ids led to %d questions within a second", s.asked-asked)
		}
	})
}

// TestAskersContext checks that a request that is given up does not spoil the answer for those who wait with it.
func TestAskersContext(t *testing.T) {
	t.Parallel()
	ring := New(func(ctx context.Context) ([]token.SigningKey, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		return []token.SigningKey{keyOf(0)}, nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ring.Keys(ctx); err != nil {
		t.Error(err)
	}
}
