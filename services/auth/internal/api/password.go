package api

import (
	"context"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/account"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/token"
)

var (
	// errWrongPassword is not a 401, after which a client would renew its token and repeat the request.
	errWrongPassword = errs.New(errs.Forbidden, "wrong_password", "The old password is wrong.")
	errOwnAccount    = errs.New(errs.Conflict, "own_account", "This is your own account. Change your password with POST /auth/password; ask another admin for the rest.")
)

// ChangePassword implements StrictServerInterface.
func (s *Server) ChangePassword(ctx context.Context, request ChangePasswordRequestObject) (ChangePasswordResponseObject, error) {
	a := callerOf(ctx)
	if err := account.CheckNewPassword(a.Email, request.Body.Password, request.Body.NewPassword); err != nil {
		return nil, err
	}
	ok, _, err := s.Hasher.Verify(ctx, request.Body.Password, a.PasswordHash)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errWrongPassword
	}
	pair, ended, err := s.changePassword(ctx, a, request.Body.NewPassword)
	if errs.Is(err, errs.NotFound) {
		return nil, errWrongPassword.Because(err) // the account was changed a moment ago
	}
	if err != nil {
		return nil, err
	}
	return ChangePassword200JSONResponse{
		Body: PasswordChanged{SessionsEnded: int(ended), Tokens: pair}, Headers: ChangePassword200ResponseHeaders{CacheControl: noStore},
	}, nil
}

// changePassword replaces the password of an account that was just verified, ends all its sessions, and starts a new one. It
// returns NotFound if the account was changed since it was read.
func (s *Server) changePassword(ctx context.Context, a account.Account, next string) (pair TokenPair, ended int64, err error) {
	hash, err := s.Hasher.Hash(ctx, next)
	if err != nil {
		return TokenPair{}, 0, err
	}
	// Check first that a token can be signed: afterwards the old password is gone.
	if _, err := s.Ring.Signer(ctx); err != nil {
		return TokenPair{}, 0, err
	}
	secret := token.NewSecret()
	session, ended, err := s.Store.ChangePassword(ctx, a, hash, secret, s.RefreshTTL)
	if err != nil {
		return TokenPair{}, 0, err
	}
	s.Logger.InfoContext(ctx, "password changed by its owner", "account", a.ID, "sessions_ended", ended)
	pair, err = s.pair(ctx, a, session, secret)
	return pair, ended, err
}

// ResetPassword implements StrictServerInterface.
func (s *Server) ResetPassword(ctx context.Context, request ResetPasswordRequestObject) (ResetPasswordResponseObject, error) {
	if request.ID == callerOf(ctx).ID {
		return nil, errOwnAccount
	}
	plain := account.NewTemporaryPassword()
	hash, err := s.Hasher.Hash(ctx, plain)
	if err != nil {
		return nil, err
	}
	a, err := s.store(ctx).ResetPassword(ctx, request.ID, hash, account.TemporaryLife)
	if err != nil {
		return nil, err
	}
	return ResetPassword200JSONResponse{
		Body:    TemporaryPassword{Password: plain, ExpiresAt: expiry(a)},
		Headers: ResetPassword200ResponseHeaders{CacheControl: noStore},
	}, nil
}

// expiry returns the end of a temporary password.
func expiry(a account.Account) time.Time { return a.PasswordExpiresAt.UTC() }
