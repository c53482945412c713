package api

import (
	"context"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/account"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/token"
)

var (
	errCredentials    = errs.New(errs.Unauthenticated, "invalid_credentials", "The e-mail address or the password is wrong.")
	errLoginDisabled  = errs.New(errs.Forbidden, "account_disabled", "The account is disabled. Ask an admin.")
	errChangeRequired = errs.New(errs.Forbidden, "password_change_required",
		"An admin has reset this password. Log in with new_password to replace it.")
)

// Login implements StrictServerInterface. It does the same work whether the account exists or not, so that its duration does
// not reveal which accounts exist. Only a caller with the right password learns more.
func (s *Server) Login(ctx context.Context, request LoginRequestObject) (LoginResponseObject, error) {
	plain, next := request.Body.Password, request.Body.NewPassword
	if next != nil {
		if err := account.CheckNewPassword(request.Body.Email, plain, *next); err != nil {
			return nil, err
		}
	}
	a, outdated, err := s.checkLogin(ctx, request.Body.Email, plain)
	if err != nil {
		return nil, err
	}
	var pair TokenPair
	switch {
	case a.DisabledAt != nil:
		return nil, errLoginDisabled
	case next != nil:
		pair, _, err = s.changePassword(ctx, a, *next)
	case a.PasswordExpiresAt != nil:
		return nil, errChangeRequired
	default:
		pair, err = s.startSession(ctx, a, plain, outdated)
	}
	if errs.Is(err, errs.NotFound) {
		return nil, errCredentials.Because(err) // the account was changed a moment ago
	}
	if err != nil {
		return nil, err
	}
	return Login200JSONResponse{Body: pair, Headers: Login200ResponseHeaders{CacheControl: noStore}}, nil
}

// checkLogin returns the account of an e-mail address if the password is right, and whether its hash is outdated.
func (s *Server) checkLogin(ctx context.Context, email, plain string) (a account.Account, outdated bool, err error) {
	a, err = s.Store.AccountByEmail(ctx, account.NormalizeEmail(email))
	if err != nil && !errs.Is(err, errs.NotFound) {
		return account.Account{}, false, err
	}
	ok, outdated, err := s.Hasher.Verify(ctx, plain, a.PasswordHash)
	if err != nil {
		return account.Account{}, false, err
	}
	if !ok || a.PasswordExpiresAt != nil && time.Now().After(*a.PasswordExpiresAt) {
		return account.Account{}, false, errCredentials
	}
	return a, outdated, nil
}

// startSession starts a session. It returns NotFound if the account was changed since it was read.
func (s *Server) startSession(ctx context.Context, a account.Account, plain string, outdated bool) (TokenPair, error) {
	if outdated {
		a.PasswordHash = s.rehash(ctx, a, plain)
	}
	secret := token.NewSecret()
	session, err := s.Store.StartSession(ctx, a, secret, s.RefreshTTL)
	if err != nil {
		return TokenPair{}, err
	}
	return s.pair(ctx, a, session, secret)
}

// rehash replaces a hash that has outdated parameters, and returns the hash that the account has now. That is only possible
// at login, when the password is known. A failure does not fail the login.
func (s *Server) rehash(ctx context.Context, a account.Account, plain string) string {
	hash, err := s.Hasher.Hash(ctx, plain)
	if err == nil {
		err = s.Store.RenewPasswordHash(ctx, a, hash)
	}
	if err != nil {
		s.Logger.WarnContext(ctx, "renew a password hash", "user", a.ID, "err", err)
		return a.PasswordHash
	}
	return hash
}
