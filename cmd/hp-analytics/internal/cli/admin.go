package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/config"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/auth/accounts"
)

// AdminConfig names the first admin.
type AdminConfig struct {
	// Email and Password belong to the first admin, who is created if there is none.
	Email    string        `env:"ADMIN_EMAIL"`
	Password config.Secret `env:"ADMIN_PASSWORD"`
}

// Validate implements config.Validator.
func (c *AdminConfig) Validate() error {
	if (c.Email == "") != (c.Password == "") {
		return errors.New("ADMIN_EMAIL, ADMIN_PASSWORD: set both or neither")
	}
	return nil
}

func adminCommand(env environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "admin",
		Short: "Manage accounts, invitations and projects without the API",
		Long:  "Manage accounts, invitations and projects without the API.\n\n" + whichDatabase,
	}
	var email, role string
	var ifNone bool
	create := &cobra.Command{
		Use:   "create",
		Short: "Create an account with a role, or give an existing one a new password",
		Long: `Create an account with a role, or give an existing one a new password, which ends its logins.

A new account is an admin unless --role is given. An existing account keeps its role unless --role is given, and stays disabled
if it is. The roles owner, analyst and viewer are those of a member of the default project; for others see admin members. A user
is no member of it. The API keys of an account stop where it is neither an admin nor an owner any more.

The password is read from ACCOUNT_PASSWORD (or the file ACCOUNT_PASSWORD_FILE). Without it, a random one is printed. With
--if-none the variable is ADMIN_PASSWORD, which belongs to the first admin and to no other account.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("role") {
				role = ""
			} else if err := checkRole(authn.Role(role)); err != nil {
				return err
			}
			return env.createAccount(cmd.Context(), email, authn.Role(role), ifNone)
		},
	}
	create.Flags().BoolVar(&ifNone, "if-none", false, "do nothing if there is an admin already, for installations that run this more than once")
	create.Flags().StringVar(&email, "email", "", "the account's e-mail address (required)")
	create.Flags().StringVar(&role, "role", "", "admin, owner, analyst, viewer or user (default: admin for a new account, that of an existing one)")
	if err := create.MarkFlagRequired("email"); err != nil {
		panic(err) // the flag is defined above
	}
	cmd.AddCommand(create)
	cmd.AddCommand(accountCommands(env)...)
	cmd.AddCommand(inviteCommand(env), revokeInvitationCommand(env))
	nameDatabase(cmd.Commands())
	cmd.AddCommand(projectsCommand(env), membersCommand(env))
	return cmd
}

// createAccount creates or changes an account. An empty role keeps that of an existing account.
func (e environment) createAccount(ctx context.Context, email string, role authn.Role, ifNone bool) error {
	password, shown, err := e.newPassword(ctx, ifNone)
	if err != nil {
		return err
	}
	return e.withAccounts(ctx, func(pool *pgxpool.Pool) error {
		if ifNone {
			if there, err := accounts.HasAdmin(ctx, pool); err != nil || there {
				return err
			}
		}
		before, err := accounts.Find(ctx, pool, email)
		if err != nil && !errs.Is(err, errs.NotFound) {
			return err
		}
		if err := putAccount(ctx, pool, email, password, role); err != nil {
			return err
		}
		now, err := accounts.Find(ctx, pool, email)
		if err != nil {
			return err
		}
		return e.done(nil, "%s %s; password: %s\n", email, outcome(before, now), shown)
	})
}

// newPassword returns the password of the environment, or else a random one, and what to print of it.
func (e environment) newPassword(ctx context.Context, first bool) (password, shown string, err error) {
	var cfg struct {
		First config.Secret `env:"ADMIN_PASSWORD"`
		Other config.Secret `env:"ACCOUNT_PASSWORD"`
	}
	if err := e.load(ctx, &cfg); err != nil {
		return "", "", err
	}
	switch {
	case first && cfg.First != "":
		return string(cfg.First), "as given by ADMIN_PASSWORD", nil
	case !first && cfg.Other != "":
		return string(cfg.Other), "as given by ACCOUNT_PASSWORD", nil
	}
	password = rand.Text()
	return password, password, nil
}

// outcome says what became of an account. Before is empty if it is new.
func outcome(before, now accounts.Listed) string {
	switch {
	case before.Email == "":
		return fmt.Sprintf("is created with the role %s", now.Role)
	case before.Role == now.Role:
		return fmt.Sprintf("exists and has a new password; its role is still %s", now.Role)
	case before.Role == authn.Admin:
		return fmt.Sprintf("exists and has a new password; its role was admin and is %s now%s", now.Role, keysStop(now.APIKeys))
	}
	return fmt.Sprintf("exists and has a new password; its role was %s and is %s now", before.Role, now.Role)
}

// databaseConfig returns the configuration of a connection to the database of url.
func (e environment) databaseConfig(ctx context.Context, url string) (cfg postgres.Config, err error) {
	with := environment{environ: append(slices.Clip(e.environ), "DATABASE_URL="+url)}
	return cfg, with.load(ctx, &cfg)
}

// accountsPool connects to the accounts.
func accountsPool(ctx context.Context, database postgres.Config) (*pgxpool.Pool, error) {
	return postgres.Open(ctx, database, "hp_auth", "hp-analytics admin", noop.NewTracerProvider())
}

func putAccount(ctx context.Context, pool *pgxpool.Pool, email, password string, role authn.Role) error {
	return refused(accounts.Put(ctx, pool, email, password, role))
}

// firstAdmin creates the first admin if there is none, and returns a description of the login: with the password if it is new.
// The command line of commands for this installation begins with program. Without ADMIN_EMAIL it generates one and stores it in the data directory. It writes the file before the account, so that a crash in
// between cannot leave an admin whose password is unknown.
func firstAdmin(ctx context.Context, database postgres.Config, given AdminConfig, dir, program string) (string, error) {
	pool, err := accountsPool(ctx, database)
	if err != nil {
		return "", err
	}
	defer pool.Close()
	there, err := accounts.HasAdmin(ctx, pool)
	if err != nil {
		return "", err
	}
	admin, noted, err := readLogin(dir)
	switch {
	case err != nil:
		return "", err
	case there && !noted:
		return "exists already (" + program + " admin create --email … adds another)", nil
	case there:
		return admin.Email + ", first password in " + loginFile(dir) + "\n" +
			"                   (a temporary one: " + program + " admin reset-password --email " + admin.Email + ")", nil
	case given.Email != "":
		if err := putAccount(ctx, pool, given.Email, string(given.Password), authn.Admin); err != nil {
			return "", err
		}
		return given.Email + ", password as given by ADMIN_PASSWORD", nil
	case !noted:
		admin = login{Email: "admin@example.com", Password: rand.Text()}
		if err := admin.write(dir); err != nil {
			return "", err
		}
	}
	return admin.String(), putAccount(ctx, pool, admin.Email, admin.Password, authn.Admin)
}

// login is the generated admin login that is stored in the data directory.
type login struct{ Email, Password string }

// String formats the login for display.
func (l login) String() string { return l.Email + " / " + l.Password }

func loginFile(dir string) string { return filepath.Join(dir, "admin-login") }

func (l login) write(dir string) error {
	if err := os.WriteFile(loginFile(dir), []byte(l.Email+"\n"+l.Password+"\n"), 0o600); err != nil {
		return fmt.Errorf("store the admin's password: %w", err)
	}
	return nil
}

// readLogin reads the stored login. A file that a crash left incomplete counts as absent.
func readLogin(dir string) (l login, found bool, err error) {
	content, err := os.ReadFile(loginFile(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return login{}, false, nil
	}
	if err != nil {
		return login{}, false, fmt.Errorf("read the admin's password: %w", err)
	}
	lines := strings.Split(string(content), "\n")
	if len(lines) != 3 {
		return login{}, false, nil
	}
	return login{Email: lines[0], Password: lines[1]}, true, nil
}
