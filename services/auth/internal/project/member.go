package project

import (
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
)

// Member is a member of a project.
type Member struct {
	UserID    uuid.UUID
	Email     string
	Name      string
	Role      authn.Role
	CreatedAt time.Time // when the account became a member
}
