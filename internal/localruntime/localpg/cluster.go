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

// cluster is a data directory and the programs that work on it.
type cluster struct {
	bin    programs
	id     localproc.Identity
	home   localproc.Home
	logger *slog.Logger
}

func (c cluster) passwordFile() string { return c.home.File("password") }

// prepare leaves a complete cluster that no server is using, and returns its superuser's password. The caller has locked
// the home.
func (c cluster) prepare(ctx context.Context, durable bool) (password string, err error) {
	if err := localproc.StopLeftover(ctx, c.logger, c.home, "postgres", syscall.SIGINT, syscall.SIGQUIT); err != nil {
		return "", err
	}
	if _, err := os.Stat(c.home.Data()); errors.Is(err, fs.ErrNotExist) {
		if err := c.initdb(ctx, durable); err != nil {
			return "", fmt.Errorf("make the database cluster: %w", err)
		}
	}
	if err := c.id.MakeData(c.home); err != nil { // a copy of the directory may have the wrong owner
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

// initdb makes the cluster. It is made in another place first, so that an interrupted one is never taken for whole.
func (c cluster) initdb(ctx context.Context, durable bool) error {
	half := localproc.Home(c.home.File("half"))
	if err := errors.Join(os.RemoveAll(string(half)), os.Mkdir(string(half), 0o755)); err != nil { //nolint:gosec // what is inside has modes of its own
		return err
	}
	if err := c.id.MakeData(half); err != nil {
		return err
	}
	password := []byte(rand.Text() + "\n")
	err := errors.Join(
		os.WriteFile(c.passwordFile(), password, 0o600),
		c.id.WriteFile(half.File("password"), password), // that one is for initdb, which is not us
	)
	if err != nil {
		return err
	}
	args := []string{
		"--pgdata", half.Data(), "--username", superuser, "--pwfile", half.File("password"), "--auth", "scram-sha-256",
		"--encoding", "UTF8", "--locale", "C.UTF-8", "--lc-collate", "C", "--data-checksums", "--no-instructions",
	}
	if !durable {
		args = append(args, "--no-sync")
	}
	if err := c.id.Run(ctx, half.Data(), c.bin.path("initdb"), args...); err != nil {
		return err
	}
	if err := os.Rename(half.Data(), c.home.Data()); err != nil {
		return err
	}
	return errors.Join(syncFile(c.passwordFile()), syncFile(string(c.home)), os.RemoveAll(string(half)))
}

// syncFile makes a file, or the names in a directory, survive a power failure.
func syncFile(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}

// writtenBy returns the major version that wrote the data, or "" if there are none.
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
		return fmt.Errorf("%s holds no PostgreSQL data: move it away to start with an empty database", c.home.Data())
	}
	if have != c.bin.major {
		return fmt.Errorf("the data in %s were written by PostgreSQL %s, but the installed programs in %s are version %s: "+
			"install PostgreSQL %s or set PG_BIN to its programs, or choose another DATA_DIR", c.home, have, c.bin.dir, c.bin.major, have)
	}
	return nil
}

// removeStalePID removes the file that a crashed server left behind. PostgreSQL itself would refuse to start if the
// process id in it meanwhile belonged to another program of the same user. A server that was started by hand names the
// data directory in its arguments; its file stays, and PostgreSQL refuses to start beside it.
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
		arguments, _ := os.ReadFile(filepath.Join("/proc", pid, "cmdline")) // none: there is no such process
		if slices.Contains(strings.Split(string(arguments), "\x00"), c.home.Data()) {
			return nil
		}
	}
	return os.Remove(file)
}
