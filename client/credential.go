package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// expiryMargin is how long before its end an access token is renewed, so that it does not expire on its way.
const expiryMargin = 10 * time.Second

// credential supplies the token of a call.
type credential interface {
	// token returns the token to send, empty for none, and if it can another one than the one that was refused.
	token(ctx context.Context, refused string) (string, error)
}

// static is a token that stays: an API key, or none.
type static string

func (s static) token(context.Context, string) (string, error) { return string(s), nil }

// session is the login of an account. Access tokens are valid for minutes; the refresh token gets the next one without
// the password, and a login replaces the refresh token when it has expired or was lost.
type session struct {
	client          *Client
	email, password string

	lock    chan struct{} // holds one element; a channel, so that a caller can stop waiting for it
	access  string
	expires time.Time
	refresh string
}

func newSession(c *Client, email, password string) *session {
	return &session{client: c, email: email, password: password, lock: make(chan struct{}, 1)}
}

// token returns an access token that is valid, and renews it if it is not. Concurrent callers wait for one renewal.
func (s *session) token(ctx context.Context, refused string) (string, error) {
	select {
	case s.lock <- struct{}{}:
		defer func() { <-s.lock }()
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	if s.access != "" && s.access != refused && time.Until(s.expires) > 0 {
		return s.access, nil
	}
	pair, err := s.renew(ctx)
	if err != nil {
		return "", err
	}
	valid := time.Duration(pair.ExpiresIn) * time.Second
	s.access, s.refresh = pair.AccessToken, pair.RefreshToken
	s.expires = time.Now().Add(valid - min(expiryMargin, valid/2))
	return s.access, nil
}

// renew uses the refresh token, once: the platform takes a second use for theft. If that fails for any reason, it logs in.
func (s *session) renew(ctx context.Context) (pair TokenPair, err error) {
	if s.refresh != "" {
		token := s.refresh
		s.refresh = ""
		if pair, err = s.post(ctx, "refresh", "/auth/refresh", &RefreshRequest{RefreshToken: token}); err == nil {
			return pair, nil
		}
	}
	pair, err = s.post(ctx, "login", "/auth/login", &LoginRequest{Email: s.email, Password: s.password})
	if transient, ok := errors.AsType[*transientError](err); ok {
		transient.notDone = true // the call that needs the token was not sent
	}
	if err != nil {
		return TokenPair{}, fmt.Errorf("log in: %w", err)
	}
	return pair, nil
}

// post makes one attempt: the call that needs the token repeats it.
func (s *session) post(ctx context.Context, operation, path string, body any) (pair TokenPair, err error) {
	login := &call{operation: operation, method: http.MethodPost, path: path, public: true}
	if err := login.encode(body); err != nil {
		return TokenPair{}, err
	}
	err = s.client.send(ctx, login, "", &pair)
	return pair, err
}
