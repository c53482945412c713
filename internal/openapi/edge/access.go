package edge

import (
	"net/http"
	"slices"
	"strings"

	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// access is the access rule of an operation with the answer to callers that it does not allow.
type access struct {
	contract.Access
	denied error
}

func newAccess(o *contract.Operation) access {
	return access{Access: o.Access, denied: errs.New(errs.Forbidden, "forbidden", requirement(o))}
}

// allows reports whether an authenticated caller may make the request, which is routed.
func (a *access) allows(caller authn.Principal, r *http.Request) bool {
	self := ""
	if a.Self != "" {
		self = contract.PathParameter(r, a.Self)
	}
	return a.permits(caller, self)
}

// permits reports whether an authenticated caller may make a request in which the path parameter Self has a value.
func (a *access) permits(caller authn.Principal, self string) bool {
	switch {
	case a.Public:
		return caller.Link == nil && caller.Public == nil && caller.Hook == nil
	case !caller.IsUser():
		return slices.ContainsFunc(a.Scopes, caller.HasScope)
	case slices.Contains(a.Roles, caller.Role):
		return true
	default:
		return a.Self != "" && caller.Subject != "" && caller.Subject == self
	}
}

// requirement says in a sentence what an operation asks of a caller.
func requirement(o *contract.Operation) string {
	rule, where := o.Access, ""
	if o.InProject {
		where = " in the project"
	}
	if slices.Contains(rule.Scopes, authn.ScopeShared) {
		return "This needs the key of a share link to a report of this kind."
	}
	if slices.Contains(rule.Scopes, authn.ScopeHook) {
		return "This needs the key of the address of a webhook."
	}
	var ways []string
	switch {
	case slices.Contains(rule.Roles, authn.User):
		ways = append(ways, "the access token of a user")
	case len(rule.Roles) > 0:
		ways = append(ways, "the role "+list(rule.Roles)+where)
	}
	if rule.Self != "" {
		ways = append(ways, "the access token of the user in the path")
	}
	if scopes := slices.DeleteFunc(slices.Clone(rule.Scopes), func(s authn.Scope) bool { return s == authn.ScopePublic }); len(scopes) > 0 {
		ways = append(ways, "an API key with the scope "+list(scopes))
	}
	if slices.Contains(rule.Scopes, authn.ScopePublic) {
		ways = append(ways, "a public key")
	}
	sentence := "This needs " + strings.Join(ways, ", or ") + "."
	if len(rule.Scopes) == 0 {
		sentence += " An API key has no account."
	}
	return sentence
}

// list returns "a", "a or b" or "a, b or c".
func list[T ~string](names []T) string {
	var text strings.Builder
	for i, name := range names {
		switch {
		case i > 0 && i == len(names)-1:
			text.WriteString(" or ")
		case i > 0:
			text.WriteString(", ")
		}
		text.WriteString(string(name))
	}
	return text.String()
}
