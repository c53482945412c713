package cli

import (
	"context"
	"fmt"
	"strconv"
	"text/tabwriter"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/hp-analytics/hp-analytics/services/auth/accounts"
)

// projectsCommand lists, creates and changes projects.
func projectsCommand(env environment) *cobra.Command {
	cmd := &cobra.Command{Use: "projects", Short: "List, create and change projects without the API"}
	list := &cobra.Command{
		Use: "list", Short: "List all projects with their settings", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return env.withAccounts(cmd.Context(), func(pool *pgxpool.Pool) error { return env.listProjects(cmd.Context(), pool) })
		},
	}
	var name string
	var wait, archived bool
	var made, changed projectFlags
	create := &cobra.Command{
		Use: "create SLUG", Short: "Create a project; SLUG is its name in the header Project and in paths", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.withAccounts(cmd.Context(), func(pool *pgxpool.Pool) error {
				p, err := accounts.CreateProject(cmd.Context(), pool, args[0], name, made.change(cmd.Flags()))
				return env.done(refused(err), "project %s is created, with the time zone %s; it has no members (admin members add)\n", p.Slug, p.TimeZone)
			})
		},
	}
	create.Flags().StringVar(&name, "name", "", "the display name (required)")
	if err := create.MarkFlagRequired("name"); err != nil {
		panic(err) // the flag is defined above
	}
	made.define(create.Flags())
	set := &cobra.Command{
		Use: "set SLUG", Short: "Change the settings of a project that the flags name", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.withAccounts(cmd.Context(), func(pool *pgxpool.Pool) error {
				change := changed.change(cmd.Flags())
				if cmd.Flags().Changed("name") {
					change.Name = &name
				}
				if cmd.Flags().Changed("archived") {
					change.Archived = &archived
				}
				p, err := accounts.ChangeProject(cmd.Context(), pool, args[0], change)
				err = env.done(refused(err), "project %s is at version %d; services use the settings at most 5 s later\n", p.Slug, p.Version)
				switch {
				case err != nil:
					return err
				case wait:
					return env.awaitZone(cmd.Context(), pool, p)
				case change.TimeZone != nil && zoneOpen(p):
					_, err = fmt.Fprintf(env.stdout, "the numbers are moved from %s to %s; projects list shows how far it is\n", p.ZoneChange.From, p.ZoneChange.To)
				}
				return err
			})
		},
	}
	set.Flags().StringVar(&name, "name", "", "the display name")
	set.Flags().BoolVar(&archived, "archived", false, "archive the project, so that it is read and takes nothing; --archived=false undoes it")
	set.Flags().BoolVar(&wait, "wait", false, "after a change of the time zone, wait until all numbers are counted by it, and show the progress")
	changed.define(set.Flags())
	hideDefaults(set.Flags())
	cmd.AddCommand(list, create, set)
	nameDatabase(cmd.Commands())
	return cmd
}

// projectFlags are the flags of the settings of a project.
type projectFlags struct {
	zone, currency               string
	weekStart, maxAge, perSecond int
}

func (f *projectFlags) define(flags *pflag.FlagSet) {
	flags.StringVar(&f.zone, "time-zone", "UTC", "the IANA time zone by whose days and hours events are counted")
	flags.StringVar(&f.currency, "currency", "EUR", "the ISO 4217 code of the currency of rankings that name none")
	flags.IntVar(&f.weekStart, "week-start", 1, "the day on which weeks begin: 1 is Monday, 7 is Sunday")
	flags.IntVar(&f.maxAge, "max-event-age-days", 0, "how many days old an event may be; 0 for the setting of the installation")
	flags.IntVar(&f.perSecond, "events-per-second", 0, "how many events all callers may send per second together; 0 for no limit")
}

// hideDefaults leaves the defaults out of the help of a command that changes only what its flags name.
func hideDefaults(flags *pflag.FlagSet) {
	flags.VisitAll(func(f *pflag.Flag) {
		if f.DefValue = ""; f.Value.Type() == "int" {
			f.DefValue = "0"
		}
	})
}

// change returns the change that the given flags ask for.
func (f *projectFlags) change(flags *pflag.FlagSet) (c accounts.ProjectChange) {
	if flags.Changed("time-zone") {
		c.TimeZone = &f.zone
	}
	if flags.Changed("currency") {
		c.Currency = &f.currency
	}
	if flags.Changed("week-start") {
		c.WeekStart = &f.weekStart
	}
	if flags.Changed("max-event-age-days") {
		c.MaxEventAgeDays = clearable(f.maxAge)
	}
	if flags.Changed("events-per-second") {
		c.EventsPerSecond = clearable(f.perSecond)
	}
	return c
}

// clearable returns a setting that 0 clears.
func clearable(n int) **int {
	value := &n
	if n == 0 {
		value = nil
	}
	return &value
}

func (e environment) listProjects(ctx context.Context, pool *pgxpool.Pool) error {
	table := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "SLUG\tNAME\tTIME ZONE\tCURRENCY\tWEEK START\tMAX AGE (DAYS)\tEVENTS PER SECOND\tCREATED\tARCHIVED") // Flush returns the error
	err := accounts.Projects(ctx, pool, func(p accounts.Project) error {
		_, err := fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\n", p.Slug, p.Name, zoneText(p), p.Currency, p.WeekStart,
			orNone(p.MaxEventAgeDays), orNone(p.EventsPerSecond), orNever(&p.CreatedAt), orNever(p.ArchivedAt))
		return err
	})
	if err != nil {
		return err
	}
	return table.Flush()
}

// orNone formats an optional number.
func orNone(n *int) string {
	if n == nil {
		return "-"
	}
	return strconv.Itoa(*n)
}
