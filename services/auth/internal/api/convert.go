package api

import (
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/account"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/token"
)

// noStore keeps answers with secrets out of every cache.
const noStore = "no-store"

func userAnswer(a account.Account) User {
	return User{CreatedAt: a.CreatedAt.UTC(), Email: a.Email, ID: a.ID, Name: a.Name, Role: Role(a.Role)}
}

func keySetAnswer(keys []token.SigningKey) JWKSet {
	set := JWKSet{Keys: make([]JWK, 0, len(keys))}
	for _, k := range keys {
		set.Keys = append(set.Keys, JWK{Alg: JWKAlgEdDSA, Crv: JWKCrvEd25519, Kid: k.ID, Kty: JWKKtyOKP, Use: JWKUseSig, X: k.PublicKey()})
	}
	return set
}

func keysAnswer(keys []account.APIKey) APIKeyList {
	list := APIKeyList{Items: make([]APIKey, 0, len(keys))}
	for _, k := range keys {
		list.Items = append(list.Items, APIKey{
			Account: k.Account, CreatedAt: k.CreatedAt.UTC(), CreatedBy: k.CreatedBy, Delegate: k.Delegate, ExpiresAt: utc(k.ExpiresAt),
			Kind: kindAnswer(k), Public: publicAnswer(k), Signed: signedAnswer(k), ID: k.ID, LastUsedAt: utc(k.LastUsedAt), Name: k.Name, Prefix: k.Prefix, Project: k.Project, RevokedAt: utc(k.RevokedAt), Scopes: scopesAnswer(k.Scopes), UnknownProducts: UnknownProducts(k.UnknownProducts),
		})
	}
	return list
}

func kindAnswer(k account.APIKey) APIKeyKind {
	switch {
	case k.Public != nil:
		return APIKeyKindPublic
	case k.Hook != nil:
		return APIKeyKind(k.Hook.Service)
	}
	return APIKeyKindSecret
}

// signedAnswer reports whether the secret of a key of webhooks is set; nil for other keys.
func signedAnswer(k account.APIKey) *bool {
	if k.Hook == nil {
		return nil
	}
	return &k.Signed
}

// hookOf returns the service of the webhooks that the key is asked for; nil for other keys.
func hookOf(r *APIKeyCreateRequest) (*authn.Hook, error) {
	if r.Kind != APIKeyKindShopify && r.Kind != APIKeyKindStripe {
		if r.SigningSecret != nil {
			return nil, errs.New(errs.Invalid, "validation_failed", "The API key cannot be made like this.",
				errs.Field{Pointer: "/signing_secret", Code: "needs_hook", Detail: "Only a key of the kind shopify or stripe has a signing secret."})
		}
		return nil, nil
	}
	hook := &authn.Hook{Service: string(r.Kind)}
	if r.SigningSecret != nil {
		hook.Secret = *r.SigningSecret
	}
	return hook, nil
}

// publicAnswer returns what a public key has that secret ones have not; nil for a secret key.
func publicAnswer(k account.APIKey) *PublicKeySettings {
	if k.Public == nil {
		return nil
	}
	answer := &PublicKeySettings{Origins: k.Public.Origins, DropBots: &k.Public.DropBots}
	if k.Public.DefaultSKU != "" {
		answer.DefaultSKU = &k.Public.DefaultSKU
	}
	if k.Public.EventsPerMinute != 0 {
		answer.EventsPerMinute = &k.Public.EventsPerMinute
	}
	return answer
}

// publicOf returns the settings of a public key as they are asked for; nil for a secret key. Bots are dropped unless the request says
// otherwise.
func publicOf(r *APIKeyCreateRequest) (*authn.PublicKey, error) {
	if r.Kind != APIKeyKindPublic {
		if r.Public != nil {
			return nil, errs.New(errs.Invalid, "validation_failed", "The API key cannot be made like this.",
				errs.Field{Pointer: "/public", Code: "needs_public", Detail: "Only a key of the kind public has these settings."})
		}
		return nil, nil
	}
	public := &authn.PublicKey{DropBots: true}
	if p := r.Public; p != nil {
		public.Origins = p.Origins
		public.DropBots = p.DropBots == nil || *p.DropBots
		if p.DefaultSKU != nil {
			public.DefaultSKU = *p.DefaultSKU
		}
		if p.EventsPerMinute != nil {
			public.EventsPerMinute = *p.EventsPerMinute
		}
	}
	return public, nil
}

func scopesAnswer(scopes []authn.Scope) []Scope {
	answer := make([]Scope, 0, len(scopes))
	for _, scope := range scopes {
		answer = append(answer, Scope(scope))
	}
	return answer
}

func scopesOf(scopes []Scope) []authn.Scope {
	result := make([]authn.Scope, 0, len(scopes))
	for _, scope := range scopes {
		result = append(result, authn.Scope(scope))
	}
	return result
}
