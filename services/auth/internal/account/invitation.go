package account

import (
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
)

// InvitationInvalid is the code of the error for every invitation that cannot be used.
const InvitationInvalid = "invalid_invitation"

// AlreadyMember is the code of the error for a member of the project of an invitation.
const AlreadyMember = "already_member"

// Invitation lets one account be registered, or one that exists join a project. Its token is not stored.
type Invitation struct {
	ID         uuid.UUID
	Role       authn.Role  // of an account that is registered with it
	Project    *string     // the slug of the project that the account joins; nil for none
	Membership *authn.Role // the role in the project; nil for none
	CreatedBy  *uuid.UUID  // the account that made it; nil if a command did
	CreatedAt  time.Time
	ExpiresAt  time.Time
	UsedAt     *time.Time
	UsedBy     *uuid.UUID
	RevokedAt  *time.Time
}
