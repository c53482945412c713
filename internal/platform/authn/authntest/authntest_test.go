package authntest_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn/authntest"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
)

// noKeys is a Store in which there is no API key.
type noKeys struct{ authn.ProjectStore }

func (noKeys) FindKey(context.Context, string) (authn.Key, error) {
	return authn.Key{}, errs.New(errs.NotFound, "not_found", "There is no such key.")
}

func TestTokens(t *testing.T) {
	t.Parallel()
	auth, other := authntest.New(t), authntest.New(t)
	_, foreignKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	verifier := authn.NewVerifier(auth.Config(), noKeys{}, platformtest.Logger(t))
	platformtest.Go(t, verifier.Run)
	platformtest.Eventually(t, time.Minute, "the key set is fetched", func() bool { return verifier.Ready(t.Context()) == nil })

	subject := uuid.NewString()
	principal, err := verifier.Authenticate(t.Context(), "Bearer "+auth.Token(authn.Admin, subject))
	if err != nil || principal.Subject != subject || principal.Owner != subject || principal.Role != authn.Admin || principal.AccountRole != authn.Admin {
		t.Errorf("an admin's token gives %+v, %v", principal, err)
	}
	for name, token := range map[string]string{
		"expired":         auth.Token(authn.Admin, subject, authntest.ExpiresAt(time.Now().Add(-time.Minute))),
		"other audience":  auth.Token(authn.Admin, subject, authntest.Audience("elsewhere")),
		"unsigned":        auth.Token(authn.Admin, subject, authntest.Unsigned()),
		"foreign key":     auth.Token(authn.Admin, subject, authntest.SignedBy(foreignKey)),
		"other authority": other.Token(authn.Admin, subject),
		"no user id":      auth.Token(authn.Admin, "root"),
		"API key":         authn.NewKey(),
	} {
		if p, err := verifier.Authenticate(t.Context(), "Bearer "+token); !errs.Is(err, errs.Unauthenticated) {
			t.Errorf("%s: gives %+v, %v; want unauthenticated", name, p, err)
		}
	}
}
