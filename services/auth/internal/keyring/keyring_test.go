package keyring

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/token"
)

// store answers with keys or an error, and counts the loads.
type store struct {
	mu    sync.Mutex
	keys  []token.SigningKey
	err   error
	loads int
	hold  chan struct{} // if not nil, loads block until it is closed or their ctx ends
}

func (s *store) load(ctx context.Context) ([]token.SigningKey, error) {
	s.mu.Lock()
	s.loads++
	hold := s.hold
	s.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys, s.err
}

func (s *store) set(err error, keys ...token.SigningKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys, s.err = keys, err
}

// block makes loads block until the returned function is called.
func (s *store) block() (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	hold := make(chan struct{})
	s.hold = hold
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.hold = nil
		close(hold)
	}
}

func (s *store) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loads
}

func keyOf(age time.Duration) token.SigningKey {
	k := token.NewSigningKey()
	k.CreatedAt = time.Now().Add(-age)
	return k
}

// run starts a ring that stops with the test. Call it in a synctest bubble.
func run(t *testing.T, s *store) *Ring {
	ring := New(s.load, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() { ring.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return ring
}

func signedBy(id string) *jwt.Token { return &jwt.Token{Header: map[string]any{"kid": id}} }

func TestSigner(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		first := keyOf(0)
		s := &store{keys: []token.SigningKey{first}}
		ring := run(t, s)
		if got, err := ring.Signer(t.Context()); err != nil || got.ID != first.ID {
			t.Errorf("the only key does not sign: %v", err)
		}
		successor := keyOf(0)
		s.set(nil, successor, first)
		<-time.After(refresh)
		synctest.Wait()
		if got, _ := ring.Signer(t.Context()); got.ID != first.ID {
			t.Error("the successor signs before every replica publishes it")
		}
		if keys, _ := ring.Keys(t.Context()); len(keys) != 2 {
			t.Errorf("%d keys are published, want both", len(keys))
		}
		<-time.After(lead)
		if got, _ := ring.Signer(t.Context()); got.ID != successor.ID {
			t.Error("the successor does not sign after the lead time")
		}
	})
}

func TestOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &store{err: errs.New(errs.Unavailable, "database_unavailable", "Later.")}
		ring := run(t, s)
		for range 100 {
			if _, err := ring.Signer(t.Context()); !errs.Is(err, errs.Unavailable) {
				t.Fatalf("without any key: %v", err)
			}
		}
		if ring.Ready(t.Context()) == nil {
			t.Error("ready without a key")
		}
		if n := s.count(); n != 1 {
			t.Errorf("%d loads within a second of an outage", n)
		}

		s.set(nil, keyOf(0))
		<-time.After(pause)
		if err := ring.Ready(t.Context()); err != nil {
			t.Errorf("a second later: %v", err)
		}
		s.set(errors.New("down again"))
		<-time.After(24 * time.Hour)
		if _, err := ring.Signer(t.Context()); err != nil {
			t.Errorf("the known keys are lost in an outage: %v", err)
		}
	})
}

func TestUnknownKeyID(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		first := keyOf(time.Hour)
		s := &store{keys: []token.SigningKey{first}}
		find := run(t, s).KeyfuncCtx(t.Context())
		if _, err := find(signedBy(first.ID)); err != nil {
			t.Fatal(err)
		}
		other := keyOf(0) // created by another replica
		s.set(nil, first, other)
		<-time.After(pause)
		if _, err := find(signedBy(other.ID)); err != nil {
			t.Errorf("the key of another replica: %v", err)
		}
		before := s.count()
		for range 100 {
			if _, err := find(signedBy("forged")); err == nil {
				t.Fatal("a forged key id is found")
			}
		}
		if _, err := find(&jwt.Token{Header: map[string]any{}}); err == nil {
			t.Error("a token without a key id finds a key")
		}
		if n := s.count() - before; n > 1 {
			t.Errorf("forged key ids caused %d loads within a second", n)
		}
	})
}

// A query that hangs delays only the callers that need its result.
func TestSlowLoadDoesNotBlockReadersWithKnownKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		known := keyOf(time.Hour)
		s := &store{keys: []token.SigningKey{known}}
		ring := run(t, s)
		if err := ring.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		<-time.After(pause)
		release := s.block()
		created := keyOf(0)
		s.set(nil, created, known)
		found := make(chan error, 1)
		go func() {
			_, err := ring.KeyfuncCtx(t.Context())(signedBy(created.ID))
			found <- err
		}()
		synctest.Wait() // the load hangs

		begin := time.Now()
		if _, err := ring.KeyfuncCtx(t.Context())(signedBy(known.ID)); err != nil {
			t.Error(err)
		}
		if _, err := ring.Signer(t.Context()); err != nil {
			t.Error(err)
		}
		if waited := time.Since(begin); waited != 0 {
			t.Errorf("readers waited %s for the query of another caller", waited)
		}
		release()
		if err := <-found; err != nil {
			t.Errorf("the caller that caused the load: %v", err)
		}
	})
}

// A caller that gives up returns at once. The others still get the result of the load, which does not belong to a caller.
func TestCancelledCallerReturnsWhileTheLoadGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &store{keys: []token.SigningKey{keyOf(0)}}
		release := s.block()
		ring := run(t, s)
		ctx, cancel := context.WithCancel(t.Context())
		gaveUp, served := make(chan error, 1), make(chan error, 1)
		go func() {
			_, err := ring.Keys(ctx)
			gaveUp <- err
		}()
		go func() {
			_, err := ring.Keys(t.Context())
			served <- err
		}()
		synctest.Wait()
		begin := time.Now()
		cancel()
		if err := <-gaveUp; !errors.Is(err, context.Canceled) || !errs.Is(err, errs.Unavailable) {
			t.Errorf("the cancelled caller got %v", err)
		}
		if waited := time.Since(begin); waited != 0 {
			t.Errorf("the cancelled caller waited for %s", waited)
		}
		release()
		if err := <-served; err != nil {
			t.Errorf("the other caller: %v", err)
		}
		if n := s.count(); n != 1 {
			t.Errorf("%d loads, want one for all callers", n)
		}
	})
}

// A load that hangs ends with the process: nothing is left when Run returns.
func TestRunEndsDuringALoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		s.block()
		ring := New(s.load, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			ring.Run(ctx)
			close(done)
		}()
		synctest.Wait()
		begin := time.Now()
		cancel()
		<-done
		if took := time.Since(begin); took != 0 {
			t.Errorf("Run returned after %s", took)
		}
	})
}
