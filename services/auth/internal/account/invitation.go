package account

import (
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
)

// InvitationInvalid is the code of the error for every invitation that cannot be used.
const InvitationInvalid = "invalid_invitation"

// Invitation lets one account be registered. Its token is not stored.
type Invitation struct {
	ID        uuid.UUID
	Role      authn.Role // of the account
	CreatedBy *uuid.UUID // the admin who made it; nil if a command did
	CreatedAt time.Time
	ExpiresAt time.Time
	UsedAt    *time.Time
	UsedBy    *uuid.UUID
	RevokedAt *time.Time
}
