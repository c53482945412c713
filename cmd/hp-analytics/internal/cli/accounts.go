package cli

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/hp-analytics/hp-analytics/internal/quantity"
	"github.com/hp-analytics/hp-analytics/services/auth/accounts"
)

// accountCommands are the commands of admin that change or list accounts that exist.
func accountCommands(env environment) []*cobra.Command {
	one := func(use, short string, apply func(context.Context, *pgxpool.Pool, string) error) *cobra.Command {
		var email string
		cmd := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs}
		cmd.Flags().StringVar(&email, "email", "", "the account's e-mail address (required)")
		if err := cmd.MarkFlagRequired("email"); err != nil {
			panic(err) // the flag is defined above
		}
		cmd.RunE = func(cmd *cobra.Command, _ []string) error {
			return env.withAccounts(cmd.Context(), func(pool *pgxpool.Pool) error {
				return refused(apply(cmd.Context(), pool, email))
			})
		}
		return cmd
	}
	return []*cobra.Command{
		one("reset-password", "Print a temporary password for an account, which must be replaced within 24 hours, and end its logins", env.resetPassword),
		one("disable", "Disable an account: it cannot log in or refresh any more, and its API keys stop", func(ctx context.Context, pool *pgxpool.Pool, email string) error {
			keys, err := accounts.SetDisabled(ctx, pool, email, true)
			return env.done(err, "%s is disabled; access tokens work outside /auth until they expire%s\n", email, keysStop(keys))
		}),
		one("enable", "Enable an account that was disabled; its API keys work again", func(ctx context.Context, pool *pgxpool.Pool, email string) error {
			_, err := accounts.SetDisabled(ctx, pool, email, false)
			return env.done(err, "%s is enabled\n", email)
		}),
		one("end-sessions", "End all logins of an account", func(ctx context.Context, pool *pgxpool.Pool, email string) error {
			return env.done(accounts.EndSessions(ctx, pool, email), "%s is logged out; access tokens work outside /auth until they expire\n", email)
		}),
		{
			Use: "list", Short: "List all accounts, newest first", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				return env.withAccounts(cmd.Context(), func(pool *pgxpool.Pool) error { return env.listAccounts(cmd.Context(), pool) })
			},
		},
	}
}

// withAccounts calls use with a connection to the accounts.
func (e environment) withAccounts(ctx context.Context, use func(*pgxpool.Pool) error) error {
	return e.withDatabase(ctx, func(url string) error {
		database, err := e.databaseConfig(ctx, url)
		if err != nil {
			return err
		}
		pool, err := accountsPool(ctx, database)
		if err != nil {
			return err
		}
		defer pool.Close()
		return use(pool)
	})
}

// done prints what was done, unless err says otherwise.
func (e environment) done(err error, format string, args ...any) error {
	if err == nil {
		_, err = fmt.Fprintf(e.stdout, format, args...)
	}
	return err
}

// keysStop says how many API keys do not work because of what was done to their account.
func keysStop(n int) string {
	if n == 0 {
		return ""
	}
	return "; " + quantity.Of(n, "API key") + " of this account stopped (hp-analytics keys list)"
}

func (e environment) resetPassword(ctx context.Context, pool *pgxpool.Pool, email string) error {
	plain, expires, err := accounts.ResetPassword(ctx, pool, email)
	return e.done(err, "%s must log in with a new password before %s; until then: %s\n", email, expires.UTC().Format(time.RFC3339), plain)
}

func (e environment) listAccounts(ctx context.Context, pool *pgxpool.Pool) error {
	table := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "EMAIL\tROLE\tCREATED\tLAST LOGIN\tDISABLED") // Flush returns the error
	err := accounts.List(ctx, pool, func(a accounts.Listed) error {
		_, err := fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", a.Email, a.Role, orNever(&a.CreatedAt), orNever(a.LastLogin), orNever(a.DisabledAt))
		return err
	})
	if err != nil {
		return err
	}
	return table.Flush()
}
