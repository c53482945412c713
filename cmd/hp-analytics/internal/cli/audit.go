package cli

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/hp-analytics/hp-analytics/services/auth/accounts"
)

func auditCommand(env environment) *cobra.Command {
	var filter accounts.AuditFilter
	since := duration(7 * 24 * time.Hour)
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Print who has done what to accounts, keys, projects, products and the installation, newest first",
		Long: `Print the audit log, newest first: who has done what to accounts, keys, projects, products and the installation, and which users were erased.

` + whichDatabase,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter.From = new(time.Now().Add(-time.Duration(since)))
			return env.withAccounts(cmd.Context(), func(pool *pgxpool.Pool) error { return env.printAudit(cmd.Context(), pool, filter) })
		},
	}
	cmd.Flags().Var(&since, "since", "how far back to go, such as 7d or 36h")
	cmd.Flags().StringVar(&filter.Actor, "actor", "", "the id of an account or key, a user of the operating system, or a service (default: all)")
	cmd.Flags().StringVar(&filter.ActionPrefix, "action", "", "how actions begin, such as key. (default: all)")
	cmd.Flags().StringVar(&filter.Project, "project", "", "the slug of the project (default: all, and the installation)")
	return cmd
}

func (e environment) printAudit(ctx context.Context, pool *pgxpool.Pool, filter accounts.AuditFilter) error {
	table := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)                             // writes nothing before Flush
	_, _ = fmt.Fprintln(table, "TIME\tWHO\tPROJECT\tACTION\tSUBJECT\tADDRESS\tDETAILS") // Flush returns the error
	err := accounts.Audit(ctx, pool, filter, func(entry accounts.AuditEntry) error {
		who, project, address := entry.ActorKind+" "+entry.Actor, "-", "-"
		if entry.Email != nil {
			who += " (" + *entry.Email + ")"
		}
		if entry.Project != nil {
			project = *entry.Project
		}
		if entry.Address != nil {
			address = entry.Address.String()
		}
		_, err := fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", entry.At.UTC().Format(time.RFC3339), who, project, entry.Action, entry.Subject, address, entry.Details)
		return err
	})
	if err != nil {
		return refused(err)
	}
	return table.Flush()
}
