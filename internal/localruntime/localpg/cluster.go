package localpg

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/hp-analytics/hp-analytics/internal/localruntime/localproc"
)

// cluster is a data directory with the programs that run it.
type cluster struct {
	bin    programs
	id     localproc.Identity
	home   localproc.Home
	logger *slog.Logger
}

func (c cluster) passwordFile() string { return c.home.File("password") }

// prepare ensures that there is a complete cluster that no server uses, and returns the superuser's password. The caller must
// have locked the home.
func (c cluster) prepare(ctx context.Context, durable bool) (password string, err error) {
	if err := localproc.StopLeftover(ctx, c.logger, c.home, "postgres", syscall.SIGINT, syscall.SIGQUIT); err != nil {
		return "", err
	}
	if _, err := os.Stat(c.home.Data()); errors.Is(err, fs.ErrNotExist) {
		if err := c.initdb(ctx, durable); err != nil {
			return "", fmt.Errorf("create the database cluster: %w", err)
		}
	}
	if err := c.id.MakeData(c.home); err != nil { // a copied directory may have the wrong owner
		return "", err
	}
	if err := c.checkVersion(); err != nil {
		return "", err
	}
	if err := c.removeStalePID(); err != nil {
		return "", fmt.Errorf("remove a stale process id file: %w", err)
	}
	content, err := os.ReadFile(c.passwordFile())
	if err != nil {
		return "", fmt.Errorf("read the database password: %w", err)
	}
	return strings.TrimSpace(string(content)), nil
}

// initdb creates the cluster in a temporary directory and renames it, so an interrupted run never looks complete.
func (c cluster) initdb(ctx context.Context, durable bool) error {
	incomplete := localproc.Home(c.home.File("incomplete"))
	if err := errors.Join(os.RemoveAll(string(incomplete)), os.Mkdir(string(incomplete), 0o755)); err != nil { //nolint:gosec // the files inside have their own modes
		return err
	}
	if err := c.id.MakeData(incomplete); err != nil {
		return err
	}
	password := []byte(rand.Text() + "\n")
	err := errors.Join(
		os.WriteFile(c.passwordFile(), password, 0o600),
		c.id.WriteFile(incomplete.File("password"), password), // for initdb, which runs as another user
	)
	if err != nil {
		return err
	}
	args := []string{
		"--pgdata", incomplete.Data(), "--username", superuser, "--pwfile", incomplete.File("password"), "--auth", "scram-sha-256",
		"--encoding", "UTF8", "--locale", "C.UTF-8", "--lc-collate", "C", "--data-checksums", "--no-instructions",
	}
	if !durable {
		args = append(args, "--no-sync")
	}
	if err := c.id.Run(ctx, incomplete.Data(), c.bin.path("initdb"), args...); err != nil {
		return err
	}
	if err := os.Rename(incomplete.Data(), c.home.Data()); err != nil {
		return err
	}
	return errors.Join(syncFile(c.passwordFile()), syncFile(string(c.home)), os.RemoveAll(string(incomplete)))
}

// syncFile flushes a file, or the entries of a directory, to disk.
func syncFile(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}

// writtenBy returns the major version of PostgreSQL that wrote the data, or "" if there is no data.
func writtenBy(home localproc.Home) string {
	version, err := os.ReadFile(filepath.Join(home.Data(), "PG_VERSION"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(version))
}

func (c cluster) checkVersion() error {
	have := writtenBy(c.home)
	if have == "" {
		return fmt.Errorf("%s contains no PostgreSQL data: move it away to start with an empty database", c.home.Data())
	}
	if have != c.bin.major {
		return fmt.Errorf("the data in %s were written by PostgreSQL %s, but the installed programs in %s are version %s: "+
			"install PostgreSQL %s or set PG_BIN to its programs, or choose another DATA_DIR", c.home, have, c.bin.dir, c.bin.major, have)
	}
	return nil
}

// removeStalePID removes the postmaster.pid of a crashed server. With the file in place, PostgreSQL refuses to start if another
// program of the same user has reused the process id. If the process is a server that somebody started by hand, its
// arguments name the data directory. The file then stays, and PostgreSQL refuses to start a second server.
func (c cluster) removeStalePID() error {
	file := filepath.Join(c.home.Data(), "postmaster.pid")
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	pid, _, _ := strings.Cut(string(content), "\n")
	if _, err := strconv.Atoi(pid); err == nil {
		arguments, _ := os.ReadFile(filepath.Join("/proc", pid, "cmdline")) // empty if the process does not exist
		if slices.Contains(strings.Split(string(arguments), "\x00"), c.home.Data()) {
			return nil
		}
	}
	return os.Remove(file)
}
