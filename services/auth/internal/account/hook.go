package account

import (
	"slices"
	"strings"
	"unicode"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// hookProblems checks what only keys of webhooks have.
func (r *KeyRequest) hookProblems() (problems []errs.Field) {
	if r.Hook == nil {
		return nil
	}
	if !slices.Equal(r.Scopes, []authn.Scope{authn.ScopeIngest}) {
		problems = append(problems, errs.Field{Pointer: "/scopes", Code: "hook_ingest_only", Detail: "The key of a webhook has the scope ingest and no other."})
	}
	hook := *r.Hook
	if hook.Secret != "" {
		secret, problem := SigningSecret(hook.Secret)
		if hook.Secret = secret; problem != "" {
			problems = append(problems, errs.Field{Pointer: "/signing_secret", Code: "invalid_value", Detail: problem})
		}
	}
	r.Hook = &hook
	return problems
}

// maxSigningSecret is how long a secret is, in bytes.
const maxSigningSecret = 200

// SigningSecret returns a secret without the space around it that comes with copies, or what is wrong with it.
func SigningSecret(text string) (secret, problem string) {
	secret = strings.TrimSpace(text)
	if secret == "" || len(secret) > maxSigningSecret || strings.ContainsFunc(secret, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return "", "Enter the secret as the service shows it, without spaces: it has at most 200 bytes."
	}
	return secret, ""
}
