package postgres_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/account"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/token"
)

const (
	grace = time.Minute
	life  = time.Hour
)

var renewing = postgres.Renewing{Grace: grace, Life: life, Session: 24 * life}

// login starts a session and returns its refresh token.
func (s tester) login(a account.Account) string {
	s.t.Helper()
	refresh := token.NewSecret()
	if _, err := s.StartSession(command(s.t), a, refresh, life); err != nil {
		s.t.Fatal(err)
	}
	return refresh
}

// rotate exchanges a refresh token that must be good.
func (s tester) rotate(refresh string) string {
	s.t.Helper()
	next, err := s.Rotate(command(s.t), refresh, renewing)
	if err != nil {
		s.t.Fatal(err)
	}
	return next.Refresh
}

// wantRefused checks that a refresh token is answered with an error code.
func (s tester) wantRefused(refresh, code string) {
	s.t.Helper()
	if next, err := s.Rotate(command(s.t), refresh, renewing); errs.CodeOf(err) != code {
		s.t.Errorf("the token is answered with %.4s…, %v; want %s", next.Refresh, err, code)
	}
}

// inTurn queues calls in order for the lock that a statement takes, and lets them go together.
func (s tester) inTurn(lock string, calls ...func()) {
	s.t.Helper()
	tx, err := s.Pool.Begin(command(s.t))
	if err != nil {
		s.t.Fatal(err)
	}
	defer tx.Rollback(context.WithoutCancel(command(s.t))) // does nothing after the commit
	if _, err := tx.Exec(command(s.t), lock); err != nil {
		s.t.Fatal(err)
	}
	const waiting = `
		SELECT count(DISTINCT pid)
		FROM pg_locks JOIN pg_stat_activity USING (pid)
		WHERE datname = current_database() AND NOT granted`
	var wg sync.WaitGroup
	for i, call := range calls {
		wg.Go(call)
		platformtest.Eventually(s.t, 20*time.Second, "the call waits for the lock", func() bool {
			var n int
			err := s.Pool.QueryRow(command(s.t), waiting).Scan(&n) // a transaction would see the activity of its first look
			return err == nil && n == i+1
		})
	}
	if err := tx.Commit(command(s.t)); err != nil {
		s.t.Fatal(err)
	}
	wg.Wait()
}

const lockSessions = `SELECT FROM auth.sessions FOR UPDATE`

// TestNoSuccessorSurvivesARevocation lets everything that revokes a session meet a refresh of it, in both orders.
func TestNoSuccessorSurvivesARevocation(t *testing.T) {
	t.Parallel()
	revocations := map[string]func(s tester, user account.Account, used, current string) error{
		"logout": func(s tester, _ account.Account, _, current string) error {
			return s.Logout(command(s.t), current)
		},
		"reuse": func(s tester, _ account.Account, used, _ string) error {
			if _, err := s.Rotate(command(s.t), used, postgres.Renewing{Life: life, Session: 24 * life}); errs.CodeOf(err) != "refresh_token_reused" {
				return fmt.Errorf("a used token: %w", err)
			}
			return nil
		},
		"a new password": func(s tester, user account.Account, _, _ string) error {
			user.PasswordHash = "y"
			return s.PutAccount(command(s.t), user)
		},
		"a password of the owner's": func(s tester, user account.Account, _, _ string) error {
			_, _, err := s.ChangePassword(command(s.t), user, "y", token.NewSecret(), life)
			return err
		},
		"a reset": func(s tester, user account.Account, _, _ string) error {
			_, err := s.ResetPassword(command(s.t), user.ID, "y", life)
			return err
		},
		"disabling": func(s tester, user account.Account, _, _ string) error {
			_, err := s.SetDisabled(command(s.t), user.ID, true)
			return err
		},
		"the end of all sessions": func(s tester, user account.Account, _, _ string) error {
			_, err := s.EndSessions(command(s.t), user.ID)
			return err
		},
	}
	for name, revoke := range revocations {
		for _, revokeFirst := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s first=%t", name, revokeFirst), func(t *testing.T) {
				t.Parallel()
				s := tester{newStore(t), t}
				user := s.account("ada@example.com")
				used := s.login(user)
				current := s.rotate(used)
				var next postgres.Renewal
				calls := []func(){
					func() { next, _ = s.Rotate(command(t), current, renewing) },
					func() {
						if err := revoke(s, user, used, current); err != nil {
							t.Error(err)
						}
					},
				}
				if revokeFirst {
					calls[0], calls[1] = calls[1], calls[0]
				}
				s.inTurn(lockSessions, calls...)
				if got := next.Refresh == ""; got != revokeFirst {
					t.Errorf("the refresh got a token: %t", !got)
				}
				for _, refresh := range []string{current, token.Successor(s.sessionSecret(), current)} {
					s.wantRefused(refresh, "invalid_refresh_token")
				}
			})
		}
	}
}

// sessionSecret returns the secret of the first session.
func (s tester) sessionSecret() (secret []byte) {
	s.t.Helper()
	if err := s.Pool.QueryRow(command(s.t), `SELECT secret FROM auth.sessions ORDER BY id LIMIT 1`).Scan(&secret); err != nil {
		s.t.Fatal(err)
	}
	return secret
}

// TestLogoutsAgainstRefreshes runs logouts and refreshes of the same sessions at once, as they come.
func TestLogoutsAgainstRefreshes(t *testing.T) {
	t.Parallel()
	s := tester{newStore(t), t}
	user := s.account("ada@example.com")
	const pairs = 35
	successors := make([]postgres.Renewal, pairs)
	var wg sync.WaitGroup
	for i := range pairs {
		refresh := s.login(user)
		wg.Go(func() { successors[i], _ = s.Rotate(command(t), refresh, renewing) })
		wg.Go(func() {
			if err := s.Logout(command(t), refresh); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, successor := range successors {
		s.wantRefused(successor.Refresh, "invalid_refresh_token")
	}
}

// TestALoginDoesNotOutliveAChange lets a login that has checked the password meet a change of the account, in both orders.
func TestALoginDoesNotOutliveAChange(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(s tester, user account.Account) error{
		"the password, by the command line": func(s tester, user account.Account) error {
			user.PasswordHash = "y"
			return s.PutAccount(command(s.t), user)
		},
		"the password, by the owner": func(s tester, user account.Account) error {
			_, _, err := s.ChangePassword(command(s.t), user, "y", token.NewSecret(), life)
			return err
		},
		"the password, by an admin": func(s tester, user account.Account) error {
			_, err := s.ResetPassword(command(s.t), user.ID, "y", life)
			return err
		},
		"disabled": func(s tester, user account.Account) error {
			_, err := s.SetDisabled(command(s.t), user.ID, true)
			return err
		},
	} {
		for _, loginFirst := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, login first=%t", name, loginFirst), func(t *testing.T) {
				t.Parallel()
				s := tester{newStore(t), t}
				user := s.account("ada@example.com")
				refresh := token.NewSecret()
				var loginErr error
				calls := []func(){
					func() { _, loginErr = s.StartSession(command(t), user, refresh, life) },
					func() {
						if err := change(s, user); err != nil {
							t.Error(err)
						}
					},
				}
				if !loginFirst {
					calls[0], calls[1] = calls[1], calls[0]
				}
				s.inTurn(`SELECT FROM auth.users FOR UPDATE`, calls...)
				if loginFirst != (loginErr == nil) {
					t.Errorf("login: %v", loginErr)
				}
				s.wantRefused(refresh, "invalid_refresh_token")
			})
		}
	}
}

// TestOnePasswordWins lets two changes that have checked the same old password meet: the second one changes nothing, and its
// client gets no session.
func TestOnePasswordWins(t *testing.T) {
	t.Parallel()
	s := tester{newStore(t), t}
	user := s.account("ada@example.com")
	winner, loser := token.NewSecret(), token.NewSecret()
	var winnerErr, loserErr error
	s.inTurn(`SELECT FROM auth.users FOR UPDATE`,
		func() { _, _, winnerErr = s.ChangePassword(command(t), user, "first", winner, life) },
		func() { _, _, loserErr = s.ChangePassword(command(t), user, "second", loser, life) },
	)
	if winnerErr != nil || !errs.Is(loserErr, errs.NotFound) {
		t.Errorf("first %v, second %v", winnerErr, loserErr)
	}
	if a, err := s.Account(command(t), user.ID.String()); err != nil || a.PasswordHash != "first" {
		t.Errorf("the hash is %q, %v", a.PasswordHash, err)
	}
	s.rotate(winner)
	s.wantRefused(loser, "invalid_refresh_token")
}

// TestTheSameSuccessorWithinGrace covers two tabs that refresh at once, and a client that did not get the answer.
func TestTheSameSuccessorWithinGrace(t *testing.T) {
	t.Parallel()
	s := tester{newStore(t), t}
	user := s.account("ada@example.com")
	first := s.login(user)
	tabs := make([]string, 4) // fewer than the connections of a pool
	var calls []func()
	for i := range tabs {
		calls = append(calls, func() { tabs[i] = s.rotate(first) })
	}
	s.inTurn(lockSessions, calls...)
	for _, successor := range tabs {
		if successor != tabs[0] {
			t.Fatalf("tabs got %d different tokens", len(tabs))
		}
	}
	if again := s.rotate(first); again != tabs[0] {
		t.Error("the repeated request got another successor")
	}
	second := s.rotate(tabs[0]) // from now on first is history
	s.wantRefused(first, "refresh_token_reused")
	s.wantRefused(second, "invalid_refresh_token")
}

func TestReuseAfterGraceRevokes(t *testing.T) {
	t.Parallel()
	s := tester{newStore(t), t}
	first := s.login(s.account("ada@example.com"))
	second := s.rotate(first)
	const age = `UPDATE auth.refresh_tokens SET used_at = used_at - interval '61 seconds'` // a second longer than the grace
	if _, err := s.Pool.Exec(command(t), age); err != nil {
		t.Fatal(err)
	}
	s.wantRefused(first, "refresh_token_reused")
	s.wantRefused(second, "invalid_refresh_token")
}

// TestARehashDoesNotUndoANewPassword lets the renewal of a hash come after a change of the password.
func TestARehashDoesNotUndoANewPassword(t *testing.T) {
	t.Parallel()
	s := tester{newStore(t), t}
	user := s.account("ada@example.com")
	changed := user
	changed.PasswordHash = "y"
	if err := s.PutAccount(command(t), changed); err != nil {
		t.Fatal(err)
	}
	if err := s.RenewPasswordHash(command(t), user, "z"); !errs.Is(err, errs.NotFound) {
		t.Errorf("renewed: %v", err)
	}
	if a, err := s.Account(command(t), user.ID.String()); err != nil || a.PasswordHash != "y" {
		t.Errorf("the hash is %q, %v", a.PasswordHash, err)
	}
}

func TestPruneSessions(t *testing.T) {
	t.Parallel()
	s := tester{newStore(t), t}
	user := s.account("ada@example.com")
	for _, life := range []time.Duration{-time.Hour, -time.Second, time.Hour} {
		if _, err := s.StartSession(command(t), user, token.NewSecret(), life); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := s.PruneSessions(command(t)); n != 2 || err != nil {
		t.Errorf("pruned %d, %v; want the 2 that ended", n, err)
	}
	if n, err := s.PruneSessions(command(t)); n != 0 || err != nil {
		t.Errorf("pruned %d more, %v", n, err)
	}
	var sessions int
	if err := s.Pool.QueryRow(command(t), `SELECT count(*) FROM auth.sessions`).Scan(&sessions); err != nil || sessions != 1 {
		t.Errorf("%d sessions are left, %v; want 1", sessions, err)
	}
}

func (s tester) account(email string) account.Account {
	s.t.Helper()
	a, err := s.CreateAccount(command(s.t), account.Account{ID: uuid.Must(uuid.NewV7()), Email: email, PasswordHash: "x", Role: authn.User})
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

// TestSessionsEnd checks that a session ends at its greatest age, however often it was renewed, and when it is not renewed for too long.
func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	s := tester{newStore(t), t}
	refresh := s.rotate(s.login(s.account("ada@example.com")))
	if _, err := s.Pool.Exec(command(t), `UPDATE auth.sessions SET created_at = now() - $1::interval`, renewing.Session-time.Minute); err != nil {
		t.Fatal(err)
	}
	refresh = s.rotate(refresh)
	if _, err := s.Pool.Exec(command(t), `UPDATE auth.sessions SET created_at = created_at - interval '1 minute'`); err != nil {
		t.Fatal(err)
	}
	s.wantRefused(refresh, "session_too_old")

	idle := s.login(s.account("grace@example.com"))
	if _, err := s.Pool.Exec(command(t), `UPDATE auth.refresh_tokens SET expires_at = now() WHERE token_hash = $1`, token.HashSecret(idle)); err != nil {
		t.Fatal(err)
	}
	s.wantRefused(idle, "session_idle")
}
