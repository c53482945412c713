package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
)

// Access says who may call an operation: the extension x-access.
type Access struct {
	// Unauthenticated operations ignore credentials: an expired token must not prevent its owner from logging in again.
	Unauthenticated bool
	// Public operations need no credentials, but refuse those that are sent and not valid.
	Public bool

	// Any other operation is for users with one of Roles, for API keys with one of Scopes, and for the user whose id is
	// the value of the path parameter Self, if it is not empty.
	Roles  []authn.Role
	Scopes []authn.Scope
	Self   string

	// Archived says that an operation which changes something is for archived projects, too: it ends or undoes something.
	Archived bool
}

// onlyAdmins reports whether the rule is for admins of the installation only, who are in no project.
func (a Access) onlyAdmins() bool {
	return len(a.Roles) == 1 && a.Roles[0] == authn.Admin && len(a.Scopes) == 0 && a.Self == ""
}

// accessOf reads the extension x-access of o. There is no default, so that nobody opens an operation by forgetting it.
func accessOf(document *openapi3.T, o *Operation) (Access, error) {
	switch value := o.Spec.Extensions["x-access"].(type) {
	case nil:
		return Access{}, errors.New("x-access is missing")
	case string:
		switch value {
		case "public":
			return Access{Public: true}, nil
		case "unauthenticated":
			return Access{Unauthenticated: true}, nil
		}
		return Access{}, fmt.Errorf("x-access: unknown value %q", value)
	default:
		return restrictedAccess(document, o, value)
	}
}

// restrictedAccess reads the form {roles, scopes, self}. The schemas Role, ProjectRole and Scope enumerate which of them there
// are. In a project a user has one of ProjectRole, or, without a membership, the role user.
func restrictedAccess(document *openapi3.T, o *Operation, value any) (Access, error) {
	var rule struct {
		Roles  []authn.Role  `json:"roles"`
		Scopes []authn.Scope `json:"scopes"`
		Self   string        `json:"self"`

		Archived bool `json:"archived"`
	}
	if err := decodeExtension(value, &rule); err != nil {
		return Access{}, fmt.Errorf("x-access: %w", err)
	}
	if len(rule.Roles)+len(rule.Scopes) == 0 {
		return Access{}, errors.New("x-access: name at least one role or scope")
	}
	schema, roles := "Role", rule.Roles
	if o.InProject {
		schema, roles = "ProjectRole", slices.DeleteFunc(slices.Clone(roles), func(r authn.Role) bool { return r == authn.User })
	}
	if err := checkNames(document, schema, roles); err != nil {
		return Access{}, err
	}
	// Those who make keys do not choose the scopes of share links, public keys and webhooks, so the schema does not have them.
	ofKeys := slices.DeleteFunc(slices.Clone(rule.Scopes), func(s authn.Scope) bool {
		return s == authn.ScopeShared || s == authn.ScopePublic || s == authn.ScopeHook
	})
	if err := checkNames(document, "Scope", ofKeys); err != nil {
		return Access{}, err
	}
	if rule.Self != "" && o.Parameters.GetByInAndName(openapi3.ParameterInPath, rule.Self) == nil {
		return Access{}, fmt.Errorf("x-access: self names %q, which is no path parameter", rule.Self)
	}
	if rule.Archived && !o.InProject {
		return Access{}, errors.New("x-access: archived is of operations in a project")
	}
	return Access{Roles: rule.Roles, Scopes: rule.Scopes, Self: rule.Self, Archived: rule.Archived}, nil
}

// decodeExtension decodes the value of an extension into target and refuses members that target does not have.
func decodeExtension(value, target any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	return decoder.Decode(target)
}

// checkNames checks that the enumeration of a schema has every name, and that none is there twice.
func checkNames[T ~string](document *openapi3.T, schema string, names []T) error {
	for i, name := range names {
		if !slices.Contains(document.Components.Schemas[schema].Value.Enum, any(string(name))) {
			return fmt.Errorf("x-access: %q is no %s", name, schema)
		}
		if slices.Contains(names[:i], name) {
			return fmt.Errorf("x-access: %q is named twice", name)
		}
	}
	return nil
}
