// Package journal is the audit log as it is read. internal/platform/audit writes it.
package journal

import (
	"encoding/json"
	"net/netip"
	"time"

	"github.com/google/uuid"
)

// Entry is a row of the audit log.
type Entry struct {
	ID        uuid.UUID
	At        time.Time
	ActorKind string  // user, key, command or service
	Actor     string  // the id of the account or key, the user of the operating system, or the name of the service
	Email     *string // of the account, or of that of the key; nil if there is none
	Project   *string // the slug; nil for the whole installation
	Action    string
	Subject   string
	Details   json.RawMessage // an object
	RequestID *string         // nil for a command
	Address   *netip.Addr     // nil for a command
}

// Filter says which entries are read. Empty fields leave none out.
type Filter struct {
	Actor        string
	ActionPrefix string
	Project      string // its slug
	From, To     *time.Time
}
