package main

import (
	"context"
	"errors"
	"sync"

	"github.com/hp-analytics/hp-analytics/client"
	"github.com/hp-analytics/hp-analytics/internal/openapi/apifuzz"
	"github.com/hp-analytics/hp-analytics/test/internal/deployment"
)

// callers know the credentials of all callers of apifuzz.
type callers struct {
	auth string // base URL

	mu          sync.Mutex
	credentials map[string]string // values of Authorization
}

func (c *callers) of(caller string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.credentials[caller]
}

// login logs a caller in. The password of an account of a Fuzzer is one of a few.
func (c *callers) login(ctx context.Context, url, caller, email string) error {
	api, err := client.New(url, client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 1}))
	if err != nil {
		return err
	}
	defer api.CloseIdleConnections()
	passwords := apifuzz.Passwords
	if email == deployment.AdminEmail {
		passwords = []string{deployment.AdminPassword}
	}
	var failures []error
	for _, password := range passwords {
		tokens, err := api.Login(ctx, client.LoginRequest{Email: email, Password: password})
		if err != nil {
			failures = append(failures, err)
			continue
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.credentials[caller] = "Bearer " + tokens.AccessToken
		return nil
	}
	return errors.Join(failures...)
}

// renew logs the caller in again whose logins a request has ended.
func (c *callers) renew(ctx context.Context, r *apifuzz.Request) error {
	if r.Caller != apifuzz.Spare || r.Operation == "acceptInvitation" {
		return nil
	}
	err := c.login(ctx, c.auth, apifuzz.Spare, "spare@example.com")
	if problem, ok := errors.AsType[*client.Error](err); ok && problem.Code == "invalid_credentials" {
		return nil // the request chose a password of its own; from now on the caller is one whose token has ended
	}
	return err
}
