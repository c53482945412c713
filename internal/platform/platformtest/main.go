package platformtest

import (
	"fmt"
	"log/slog"
	"os"
	"testing"
)

// hasMain is set when the test process stops shared servers at its end.
var hasMain bool

// HasMain reports whether the test process runs under Main.
func HasMain() bool { return hasMain }

// Main runs the tests of a package and then stops the servers that they started. Use it as
//
//	func TestMain(m *testing.M) { platformtest.Main(m, dbtest.Stop, redistest.Stop) }
func Main(m *testing.M, stops ...func() error) {
	if plan, client := os.LookupEnv(trafficVariable); client {
		if err := sendTraffic(plan, os.Stdin, os.Stdout); err != nil {
			_, _ = fmt.Fprintln(os.Stderr, "send traffic:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	hasMain = true
	code := m.Run()
	for _, stop := range stops {
		if err := stop(); err != nil {
			_, _ = fmt.Fprintln(os.Stderr, "stopping a test server:", err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// ServerDir returns a new directory for the data of a test server. It is in memory (/dev/shm) where available.
func ServerDir(name string) (string, error) {
	parent := ""
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		parent = "/dev/shm"
	}
	dir, err := os.MkdirTemp(parent, "hp-analytics-"+name+"-")
	if err != nil {
		return "", fmt.Errorf("create a directory for a test server: %w", err)
	}
	return dir, os.Chmod(dir, 0o755) // the unprivileged server must be able to enter
}

// Discard returns a logger that drops everything, for servers that outlive the test that started them.
func Discard() *slog.Logger { return slog.New(slog.DiscardHandler) }
