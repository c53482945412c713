package event

import (
	"context"

	"github.com/hp-analytics/hp-analytics/internal/stats"
)

// UserRef names a user as the sender did: by a user id, an anonymous id, or both. The zero UserRef names nobody.
type UserRef struct {
	UserID      string
	AnonymousID string
}

// User is a user in raw rows and rollups.
type User struct {
	N int64 // ingest.users.n of the user that a fact counts for; 0 for nobody
	// Anonymous is the number of the anonymous id if the sender named nothing else, otherwise 0. It differs from N once the
	// id belongs to a person. A retry of a fact that was stored before that has the same content.
	Anonymous int64
	// Epoch is that of the project when the numbers were looked up. When users are erased, the project gets a higher one, and
	// facts with a lower one are not stored: their numbers may be those of erased users.
	Epoch int64
}

// NameRef names a kind of events in a project.
type NameRef struct {
	Project int16
	Name    string
}

// Dictionary numbers users and names of events. Unknown ones get a number and are committed when a call returns.
type Dictionary interface {
	// Users returns the user of each ref, in their order. A ref with both ids is the user with the user id, and joins the
	// anonymous id to it, unless it belongs to somebody already: from then on facts with the anonymous id alone are those of
	// its person. Other replicas learn of it within seconds (dictionary.AnonymousTTL).
	Users(ctx context.Context, project int16, refs []UserRef) ([]User, error)
	// Expire makes the next call of Users look the users of a project up again that were looked up before an epoch.
	Expire(project int16, epoch int64)
	// Names returns the number of each name, in their order. It is 0 for the empty name. An unknown one gets none (ProjectFull) if the
	// project has MaxNames, nor (SenderFull) if sender, a user or an API key of the project, was the first to send MaxNamesOfSender of them.
	Names(ctx context.Context, project int16, sender string, names []string) ([]int16, error)
}

// Limits of the names of events that have no counter of their own.
const (
	MaxNames         = stats.MaxNames // of a project
	MaxNamesOfSender = MaxNames / 2   // that one caller adds to a project, so that no key can use up all of them
)

// The answers of Names for names that get no number.
const (
	ProjectFull int16 = 0
	SenderFull  int16 = -1
)

// nearlyFull reports whether a name is among the last fifth that its project can have.
func nearlyFull(name int16) bool { return name >= stats.FirstName+stats.NearlyFull }
