package api

import (
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
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
			ID: k.ID, LastUsedAt: utc(k.LastUsedAt), Name: k.Name, Prefix: k.Prefix, Project: k.Project, RevokedAt: utc(k.RevokedAt), Scopes: scopesAnswer(k.Scopes), UnknownProducts: UnknownProducts(k.UnknownProducts),
		})
	}
	return list
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
