package api

import (
	"context"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/account"
)

// Registration says who may register.
type Registration string

// The settings.
const (
	RegistrationOpen   Registration = "open"   // everybody
	RegistrationInvite Registration = "invite" // who has an invitation
	RegistrationClosed Registration = "closed" // nobody
)

// errRegistrationClosed is the same in both settings, so that it does not tell whether there are invitations.
var errRegistrationClosed = errs.New(errs.Forbidden, "registration_closed",
	"Registration is not open to everybody here. Ask an admin for an account or an invitation.")

// Register implements StrictServerInterface.
func (s *Server) Register(ctx context.Context, request RegisterRequestObject) (RegisterResponseObject, error) {
	invitation := request.Body.Invitation
	if err := s.mayRegister(ctx, invitation); err != nil {
		return nil, err
	}
	a, err := account.New(request.Body.Email, request.Body.Password, request.Body.Name, authn.User)
	if err != nil {
		return nil, err
	}
	if a.PasswordHash, err = s.Hasher.Hash(ctx, request.Body.Password); err != nil {
		return nil, err
	}
	if invitation == "" {
		a, err = s.Store.CreateAccount(ctx, a)
	} else {
		a, err = s.Store.AcceptInvitation(ctx, invitation, a)
	}
	if err != nil {
		return nil, err
	}
	return Register201JSONResponse{Body: userAnswer(a), Headers: Register201ResponseHeaders{Location: "/auth/me"}}, nil
}

// mayRegister refuses a registration before it costs a hash. AcceptInvitation checks the invitation again.
func (s *Server) mayRegister(ctx context.Context, invitation string) error {
	switch {
	case s.Registration == RegistrationOpen && invitation == "":
		return nil
	case s.Registration == RegistrationClosed || invitation == "":
		return errRegistrationClosed
	}
	return s.Store.CheckInvitation(ctx, invitation)
}
