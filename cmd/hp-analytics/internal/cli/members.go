package cli

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/services/auth/accounts"
)

// membersCommand lists, adds and removes members of a project.
func membersCommand(env environment) *cobra.Command {
	cmd := &cobra.Command{Use: "members", Short: "List, add and remove members of a project without the API"}
	var slug, email, role string
	list := &cobra.Command{
		Use: "list", Short: "List the members of a project", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return env.withAccounts(cmd.Context(), func(pool *pgxpool.Pool) error { return refused(env.listMembers(cmd.Context(), pool, slug)) })
		},
	}
	add := &cobra.Command{
		Use: "add", Short: "Give an account a role in a project", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if r := authn.Role(role); r != authn.Owner && r != authn.Analyst && r != authn.Viewer {
				return usageError{fmt.Errorf("--role: must be owner, analyst or viewer, not %q", role)}
			}
			return env.withAccounts(cmd.Context(), func(pool *pgxpool.Pool) error {
				err := accounts.SetMember(cmd.Context(), pool, slug, email, authn.Role(role))
				return env.done(refused(err), "%s has the role %s in the project %s\n", email, role, slug)
			})
		},
	}
	remove := &cobra.Command{
		Use: "remove", Short: "End a membership; the API keys that the account made as an owner stop", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return env.withAccounts(cmd.Context(), func(pool *pgxpool.Pool) error {
				err := accounts.SetMember(cmd.Context(), pool, slug, email, "")
				return env.done(refused(err), "%s is no member of the project %s; services refuse the account at most 5 s later\n", email, slug)
			})
		},
	}
	add.Flags().StringVar(&role, "role", string(authn.Viewer), "owner, analyst or viewer")
	for _, c := range []*cobra.Command{list, add, remove} {
		c.Flags().StringVar(&slug, "project", accounts.DefaultProject, "the slug of the project")
	}
	for _, c := range []*cobra.Command{add, remove} {
		c.Flags().StringVar(&email, "email", "", "the account's e-mail address (required)")
		if err := c.MarkFlagRequired("email"); err != nil {
			panic(err) // the flag is defined above
		}
	}
	cmd.AddCommand(list, add, remove)
	nameDatabase(cmd.Commands())
	return cmd
}

func (e environment) listMembers(ctx context.Context, pool *pgxpool.Pool, slug string) error {
	table := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "EMAIL\tROLE\tSINCE") // Flush returns the error
	err := accounts.Members(ctx, pool, slug, func(m accounts.Member) error {
		_, err := fmt.Fprintf(table, "%s\t%s\t%s\n", m.Email, m.Role, orNever(&m.CreatedAt))
		return err
	})
	if err != nil {
		return err
	}
	return table.Flush()
}
