package cli

import (
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/services/auth/accounts"
)

const maxInvitation = 720 * time.Hour

func inviteCommand(env environment) *cobra.Command {
	var role, project string
	life := duration(7 * 24 * time.Hour)
	cmd := &cobra.Command{
		Use: "invite", Short: "Print an invitation, with which one account can be registered", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkRole(authn.Role(role)); err != nil {
				return err
			}
			valid := time.Duration(life)
			if valid < time.Minute || valid > maxInvitation {
				return usageError{fmt.Errorf("--valid: must be between 1m and %s, not %s", maxInvitation, valid)}
			}
			return env.withAccounts(cmd.Context(), func(pool *pgxpool.Pool) error {
				id, token, err := accounts.Invite(cmd.Context(), pool, authn.Role(role), project, valid)
				return env.done(refused(err), "invitation %s for an account with the role %s, valid for %s: %s\n", id, role, valid, token)
			})
		},
	}
	cmd.Flags().StringVar(&role, "role", string(authn.User), "admin, user, or, to join the project, owner, analyst or viewer")
	cmd.Flags().StringVar(&project, "project", accounts.DefaultProject, "the slug of the project that an owner, analyst or viewer joins")
	cmd.Flags().Var(&life, "valid", "how long it can be used, such as 7d or 36h")
	return cmd
}

func revokeInvitationCommand(env environment) *cobra.Command {
	return &cobra.Command{
		Use: "revoke-invitation ID", Short: "Revoke an invitation", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := uuid.Parse(args[0])
			if err != nil {
				return usageError{fmt.Errorf("the id of an invitation: %w", err)}
			}
			return env.withAccounts(cmd.Context(), func(pool *pgxpool.Pool) error {
				err := accounts.RevokeInvitation(cmd.Context(), pool, id)
				return env.done(refused(err), "invitation %s is revoked\n", id)
			})
		},
	}
}

// checkRole returns an error unless role is a role.
func checkRole(role authn.Role) error {
	switch role {
	case authn.Admin, authn.Owner, authn.Analyst, authn.Viewer, authn.User:
		return nil
	}
	return usageError{fmt.Errorf("--role: must be admin, owner, analyst, viewer or user, not %q", role)}
}
