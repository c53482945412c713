package localpg

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Owner is a login without any privilege of the server, which owns the platform's database.
type Owner struct {
	Name string
	// Roles are roles that cannot log in, and that the owner may assume. They are created here, because the owner may not.
	Roles []string
}

// ensure creates the owner and its roles, or gives existing ones these rights. conn is that of a superuser.
func (o *Owner) ensure(ctx context.Context, conn *pgx.Conn, password string) error {
	for _, role := range append([]string{o.Name}, o.Roles...) {
		var there bool
		if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)`, role).Scan(&there); err != nil {
			return err
		}
		if !there {
			if _, err := conn.Exec(ctx, "CREATE ROLE "+role); err != nil {
				return fmt.Errorf("create the role %s: %w", role, err)
			}
		}
	}
	statements := []string{fmt.Sprintf("ALTER ROLE %s LOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS PASSWORD '%s'", o.Name, password)}
	for _, role := range o.Roles {
		statements = append(statements, fmt.Sprintf("GRANT %s TO %s", role, o.Name))
	}
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("give the owner of the database its rights: %w", err)
		}
	}
	return nil
}

// ownerPassword returns the password of the owner, which it makes once, so that the URL stays the same over restarts.
func (c cluster) ownerPassword() (string, error) {
	file := c.home.File("owner-password")
	content, err := os.ReadFile(file)
	if password := strings.TrimSpace(string(content)); err == nil && password != "" {
		return password, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the password of the database's owner: %w", err)
	}
	password := rand.Text()
	if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("store the password of the database's owner: %w", err)
	}
	return password, nil
}
