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
	cmd := &cobra.Command{Use: "admin", Short: "Manage accounts and invitations without the API"}
	var email, role string
	var ifNone bool
	create := &cobra.Command{
		Use:   "create",
		Short: "Create an account with a role, or give an existing one a new role and password",
		Long: `Create an account with a role, or give an existing one a new role and password, which ends its logins.
An account that is disabled stays disabled.

The password is read from ADMIN_PASSWORD (or the file ADMIN_PASSWORD_FILE). Without it, a random one is printed.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return env.createAccount(cmd.Context(), email, authn.Role(role), ifNone)
		},
	}
	create.Flags().BoolVar(&ifNone, "if-none", false, "do nothing if there is an admin already, for installations that run this more than once")
	create.Flags().StringVar(&email, "email", "", "the account's e-mail address (required)")
	create.Flags().StringVar(&role, "role", string(authn.Admin), "admin, analyst or user")
	if err := create.MarkFlagRequired("email"); err != nil {
		panic(err) // the flag is defined above
	}
	cmd.AddCommand(create)
	cmd.AddCommand(accountCommands(env)...)
	cmd.AddCommand(inviteCommand(env), revokeInvitationCommand(env))
	return cmd
}

func (e environment) createAccount(ctx context.Context, email string, role authn.Role, ifNone bool) error {
	if err := checkRole(role); err != nil {
		return err
	}
	cfg := struct {
		Password config.Secret `env:"ADMIN_PASSWORD"`
	}{}
	if err := e.load(ctx, &cfg); err != nil {
		return err
	}
	password := string(cfg.Password)
	shown := "as given by ADMIN_PASSWORD"
	if password == "" {
		password = rand.Text()
		shown = password
	}
	return e.withDatabase(ctx, func(url string) error {
		database, err := e.databaseConfig(ctx, url)
		if err != nil {
			return err
		}
		if ifNone {
			if there, err := hasAdmin(ctx, database); err != nil || there {
				return err
			}
		}
		if err := putAccount(ctx, database, email, password, role); err != nil {
			return err
		}
		_, err = fmt.Fprintf(e.stdout, "%s is %s now; password: %s\n", email, role, shown)
		return err
	})
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

func putAccount(ctx context.Context, database postgres.Config, email, password string, role authn.Role) error {
	pool, err := accountsPool(ctx, database)
	if err != nil {
		return err
	}
	defer pool.Close()
	err = accounts.Put(ctx, pool, email, password, role)
	if errs.Is(err, errs.Invalid) {
		return usageError{fmt.Errorf("account %s: %w", email, err)}
	}
	return err
}

func hasAdmin(ctx context.Context, database postgres.Config) (bool, error) {
	pool, err := accountsPool(ctx, database)
	if err != nil {
		return false, err
	}
	defer pool.Close()
	return accounts.HasAdmin(ctx, pool)
}

// firstAdmin creates the first admin if there is none, and returns a description of the login: with the password if it is new.
// Without ADMIN_EMAIL it generates one and stores it in the data directory. It writes the file before the account, so that a crash in
// between cannot leave an admin whose password is unknown.
func firstAdmin(ctx context.Context, database postgres.Config, given AdminConfig, dir string) (string, error) {
	there, err := hasAdmin(ctx, database)
	if err != nil {
		return "", err
	}
	admin, noted, err := readLogin(dir)
	switch {
	case err != nil:
		return "", err
	case there && !noted:
		return "exists already (hp-analytics admin create adds another)", nil
	case there:
		return admin.Email + ", first password in " + loginFile(dir) + " (a new one: hp-analytics admin reset-password)", nil
	case given.Email != "":
		if err := putAccount(ctx, database, given.Email, string(given.Password), authn.Admin); err != nil {
			return "", err
		}
		return given.Email + ", password as given by ADMIN_PASSWORD", nil
	case !noted:
		admin = login{Email: "admin@example.com", Password: rand.Text()}
		if err := admin.write(dir); err != nil {
			return "", err
		}
	}
	return admin.String(), putAccount(ctx, database, admin.Email, admin.Password, authn.Admin)
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
