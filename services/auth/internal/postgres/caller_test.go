package postgres_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/account"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/token"
)

const lockUsers = `SELECT FROM auth.users FOR UPDATE`

// loggedIn makes an admin with a session, and returns it as a caller.
func (s tester) loggedIn(email string) authn.Principal {
	s.t.Helper()
	caller := s.admin(email)
	a, err := s.Account(command(s.t), caller.Subject)
	if err != nil {
		s.t.Fatal(err)
	}
	session, err := s.StartSession(command(s.t), a, token.NewSecret(), life)
	if err != nil {
		s.t.Fatal(err)
	}
	caller.Session = session.String()
	return caller
}

// TestTwoAdminsCannotDisableEachOther lets two admins disable each other at the same moment, in both orders of their ids.
func TestTwoAdminsCannotDisableEachOther(t *testing.T) {
	t.Parallel()
	s := tester{newStore(t), t}
	for round := range 2 {
		first, second := s.loggedIn(fmt.Sprintf("a%d@example.com", round)), s.loggedIn(fmt.Sprintf("b%d@example.com", round))
		if round == 1 {
			first, second = second, first
		}
		var firstErr, secondErr error
		s.inTurn(lockUsers,
			func() { _, firstErr = s.For(first).SetDisabled(command(t), uuid.MustParse(second.Subject), true) },
			func() { _, secondErr = s.For(second).SetDisabled(command(t), uuid.MustParse(first.Subject), true) },
		)
		if firstErr != nil || errs.CodeOf(secondErr) != "account_disabled" {
			t.Errorf("first: %v; second: %v", firstErr, secondErr)
		}
		if a, err := s.Account(command(t), first.Subject); err != nil || a.DisabledAt != nil {
			t.Errorf("the first admin is disabled as well: %+v, %v", a.DisabledAt, err)
		}
	}
}

// TestNothingOutlivesTheRightsOfItsCaller lets everything that ends the rights of an admin meet everything that the admin may do
// to others, and come first. The admin was let through just before.
func TestNothingOutlivesTheRightsOfItsCaller(t *testing.T) {
	t.Parallel()
	ends := map[string]func(s tester, caller uuid.UUID) error{
		"account_disabled": func(s tester, caller uuid.UUID) error {
			_, err := s.SetDisabled(command(s.t), caller, true)
			return err
		},
		"role_changed": func(s tester, caller uuid.UUID) error {
			return s.PutAccount(command(s.t), account.Account{ID: caller, Email: "root@example.com", Role: authn.Analyst, PasswordHash: "y"})
		},
		"session_ended": func(s tester, caller uuid.UUID) error {
			_, err := s.EndSessions(command(s.t), caller)
			return err
		},
	}
	acts := map[string]func(s tester, caller authn.Principal, target uuid.UUID) error{
		"disable": func(s tester, caller authn.Principal, target uuid.UUID) error {
			_, err := s.For(caller).SetDisabled(command(s.t), target, true)
			return err
		},
		"reset": func(s tester, caller authn.Principal, target uuid.UUID) error {
			_, err := s.For(caller).ResetPassword(command(s.t), target, "z", life)
			return err
		},
		"end sessions": func(s tester, caller authn.Principal, target uuid.UUID) error {
			_, err := s.For(caller).EndSessions(command(s.t), target)
			return err
		},
		"invite": func(s tester, caller authn.Principal, _ uuid.UUID) error {
			maker := uuid.MustParse(caller.Subject)
			_, err := s.For(caller).CreateInvitation(command(s.t), token.NewInvitation(), postgres.Offer{Role: authn.Admin}, &maker, time.Hour)
			return err
		},
		"make a key": func(s tester, caller authn.Principal, _ uuid.UUID) error {
			s.Store = s.For(caller)
			_, err := s.tryKey(caller, adminKey)
			return err
		},
	}
	for code, end := range ends {
		for name, act := range acts {
			t.Run(name+" "+code, func(t *testing.T) {
				t.Parallel()
				s := tester{newStore(t), t}
				caller, target := s.loggedIn("root@example.com"), s.account("ada@example.com")
				if err := act(s, caller, target.ID); err != nil {
					t.Fatal(err)
				}
				var err error
				s.inTurn(lockUsers,
					func() {
						if err := end(s, uuid.MustParse(caller.Subject)); err != nil {
							t.Error(err)
						}
					},
					func() { err = act(s, caller, target.ID) },
				)
				if errs.CodeOf(err) != code {
					t.Errorf("%v, want %s", err, code)
				}
			})
		}
	}
}
