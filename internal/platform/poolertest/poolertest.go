// Package poolertest runs PgBouncer in front of a Postgres, for tests.
package poolertest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/localruntime/localproc"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
)

// sbin is where Debian installs PgBouncer. It is not in the PATH of every user.
const sbin = "/usr/sbin/pgbouncer"

// Start runs a PgBouncer that forwards to the server of databaseURL until the test ends, and returns databaseURL with its
// address. Lines are added to its configuration, such as "pool_mode = session". Clients need no password.
func Start(tb testing.TB, databaseURL string, lines ...string) string {
	tb.Helper()
	target, err := url.Parse(databaseURL)
	if err != nil {
		tb.Fatal(err)
	}
	dir, err := platformtest.ServerDir("pgbouncer")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	address := run(tb, dir, configuration(target, lines))
	through := *target
	through.Host, through.RawQuery = address, "sslmode=disable"
	return through.String()
}

// configuration has a line that each login of PgBouncer becomes that of target.
func configuration(target *url.URL, lines []string) string {
	password, _ := target.User.Password()
	return strings.Join(append([]string{
		"[databases]",
		fmt.Sprintf("* = host=%s port=%s user=%s password=%s", target.Hostname(), target.Port(), target.User.Username(), password),
		"[pgbouncer]",
		"listen_addr = 127.0.0.1",
		"unix_socket_dir =",
		"auth_type = any",
	}, lines...), "\n") + "\n"
}

// run starts PgBouncer on a free port and returns its address.
func run(tb testing.TB, dir, configuration string) (address string) {
	tb.Helper()
	ctx := context.WithoutCancel(tb.Context())
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		program = sbin
	}
	id, err := localproc.Unprivileged("postgres")
	if err != nil {
		tb.Fatal(err)
	}
	home, err := id.Home(ctx, dir, localproc.Fallback, "/bin/ls")
	if err != nil {
		tb.Fatal(err)
	}
	port, err := localproc.FreePort(ctx)
	if err != nil {
		tb.Fatal(err)
	}
	release, err := localproc.Lock(string(home))
	if err != nil {
		tb.Fatal(err)
	}
	file := home.File("pgbouncer.ini")
	if err := errors.Join(id.MakeData(home), id.WriteFile(file, []byte(configuration+"listen_port = "+strconv.Itoa(port)+"\n"))); err != nil {
		tb.Fatal(err)
	}
	process, err := id.Start(ctx, localproc.Command{
		Home: home, Program: program, Args: []string{file}, Log: "pgbouncer.log", OnDeath: syscall.SIGTERM, Release: release,
	})
	if err != nil {
		tb.Fatalf("start PgBouncer (Debian: apt-get install pgbouncer): %v", err)
	}
	tb.Cleanup(func() {
		if err := process.Stop(context.Background(), syscall.SIGTERM); err != nil {
			tb.Errorf("stop PgBouncer: %v", err)
		}
	})
	address = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	platformtest.Eventually(tb, time.Minute, "PgBouncer accepts connections", func() bool {
		select {
		case <-process.Done():
			tb.Fatalf("PgBouncer ended: %v; %s: %s", process.Err(), filepath.Base(file), process.LogTail())
		default:
		}
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		return err == nil && conn.Close() == nil
	})
	return address
}
