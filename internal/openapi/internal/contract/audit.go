package contract

import (
	"errors"
	"fmt"
	"regexp"
)

// Audit says what the audit log has of an operation: the extension x-audit. One of its fields is set, or none, for an operation
// that does not say it.
type Audit struct {
	Actions []string
	Reason  string // why it has nothing
}

// actions is the form of the names of actions, as in the table audit.log.
var actions = regexp.MustCompile(`^[a-z_]+(\.[a-z_]+)+$`)

// auditOf reads the extension x-audit of o.
func auditOf(o *Operation) (a Audit, err error) {
	switch value := o.Spec.Extensions["x-audit"].(type) {
	case nil:
		return Audit{}, nil
	case map[string]any:
		var none struct {
			Reason string `json:"none"`
		}
		if err := decodeExtension(value, &none); err != nil {
			return Audit{}, fmt.Errorf("x-audit: %w", err)
		}
		if none.Reason == "" {
			return Audit{}, errors.New("x-audit: none needs a reason")
		}
		return Audit{Reason: none.Reason}, nil
	default:
		if err := decodeExtension(value, &a.Actions); err != nil {
			return Audit{}, fmt.Errorf("x-audit: %w", err)
		}
	}
	if len(a.Actions) == 0 {
		return Audit{}, errors.New("x-audit: name at least one action, or the reason for none")
	}
	for _, name := range a.Actions {
		if !actions.MatchString(name) {
			return Audit{}, fmt.Errorf("x-audit: %q is no dotted name, such as key.created", name)
		}
	}
	return a, nil
}
