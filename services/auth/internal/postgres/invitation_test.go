package postgres_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/account"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/token"
)

const lockInvitations = `SELECT FROM auth.invitations FOR UPDATE`

// invite stores an invitation and returns its token.
func (s tester) invite(role authn.Role, maker *uuid.UUID) string {
	s.t.Helper()
	secret := token.NewInvitation()
	if _, err := s.CreateInvitation(command(s.t), secret, postgres.Offer{Role: role}, maker, time.Hour); err != nil {
		s.t.Fatal(err)
	}
	return secret
}

func (s tester) accept(email, secret string) (account.Account, error) {
	return s.AcceptInvitation(command(s.t), secret, account.Account{ID: uuid.Must(uuid.NewV7()), Email: email, PasswordHash: "x"})
}

// TestOneOfTwoUsesAnInvitation lets two people register with one invitation at the same moment.
func TestOneOfTwoUsesAnInvitation(t *testing.T) {
	t.Parallel()
	s := tester{newStore(t), t}
	secret := s.invite(authn.Admin, nil)
	var first account.Account
	var firstErr, secondErr error
	s.inTurn(lockInvitations,
		func() { first, firstErr = s.accept("ada@example.com", secret) },
		func() { _, secondErr = s.accept("eve@example.com", secret) },
	)
	if firstErr != nil || first.Role != authn.Admin || errs.CodeOf(secondErr) != account.InvitationInvalid {
		t.Errorf("first: %s, %v; second: %v", first.Role, firstErr, secondErr)
	}
	if _, err := s.AccountByEmail(command(t), "eve@example.com"); !errs.Is(err, errs.NotFound) {
		t.Errorf("the second one has an account: %v", err)
	}
}

// TestARevokedInvitationIsNotUsed lets a registration meet the revocation of its invitation, and the disabling of its maker,
// after the invitation was checked.
func TestARevokedInvitationIsNotUsed(t *testing.T) {
	t.Parallel()
	s := tester{newStore(t), t}
	maker := s.account("root@example.com")
	if _, err := s.Pool.Exec(command(t), `UPDATE auth.users SET role = 'admin'`); err != nil {
		t.Fatal(err)
	}
	secret := s.invite(authn.Admin, &maker.ID)
	var id uuid.UUID
	if err := s.Pool.QueryRow(command(t), `SELECT id FROM auth.invitations`).Scan(&id); err != nil {
		t.Fatal(err)
	}
	if err := s.CheckInvitation(command(t), secret); err != nil {
		t.Fatal(err)
	}
	var err error
	s.inTurn(lockInvitations,
		func() {
			if err := s.RevokeInvitation(command(t), 0, id); err != nil {
				t.Error(err)
			}
		},
		func() { _, err = s.accept("eve@example.com", secret) },
	)
	if errs.CodeOf(err) != account.InvitationInvalid {
		t.Errorf("a revoked one: %v", err)
	}

	other := s.invite(authn.Admin, &maker.ID)
	if err := s.CheckInvitation(command(t), other); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SetDisabled(command(t), maker.ID, true); err != nil {
		t.Fatal(err)
	}
	if _, err := s.accept("eve@example.com", other); errs.CodeOf(err) != account.InvitationInvalid {
		t.Errorf("one of a disabled admin: %v", err)
	}
}

// TestAUsedInvitationIsNotRevoked lets the revocation of an invitation meet the registration with it. Whoever revokes it learns that
// there is an account.
func TestAUsedInvitationIsNotRevoked(t *testing.T) {
	t.Parallel()
	s := tester{newStore(t), t}
	secret := s.invite(authn.Admin, nil)
	invitations, err := s.Invitations(command(t), 0, nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	var acceptErr, revokeErr error
	s.inTurn(lockInvitations,
		func() { _, acceptErr = s.accept("eve@example.com", secret) },
		func() { revokeErr = s.RevokeInvitation(command(t), 0, invitations[0].ID) },
	)
	if acceptErr != nil || errs.CodeOf(revokeErr) != "invitation_used" || !strings.Contains(revokeErr.Error(), "eve@example.com") {
		t.Errorf("the registration: %v; the revocation: %v", acceptErr, revokeErr)
	}
	if invitations, err = s.Invitations(command(t), 0, nil, 1); err != nil || invitations[0].UsedAt == nil || invitations[0].RevokedAt != nil {
		t.Errorf("the invitation is listed as %+v, %v", invitations, err)
	}
}
