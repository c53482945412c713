package cli

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
)

// asProgram makes the test binary run as hp-analytics, so that tests can kill it.
const asProgram = "HP_ANALYTICS_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		ctx, _ := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		os.Exit(Run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
	}
	platformtest.Main(m, dbtest.Stop, redistest.Stop)
}

// startTimeout allows for a slow machine, the race detector and initdb.
const startTimeout = 90 * time.Second

// program is a running hp-analytics.
type program struct {
	t      *testing.T
	cmd    *exec.Cmd
	output *output
	ended  chan struct{}
}

// output collects the output of a program and can be read while the program runs.
type output struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buffer.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buffer.String()
}

// start starts the program with arguments and additional environment variables, as NAME=value.
func start(t *testing.T, args []string, environ ...string) *program {
	t.Helper()
	p := &program{t: t, cmd: exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0], args...), output: &output{}, ended: make(chan struct{})}
	p.cmd.Env = append(append(os.Environ(), asProgram+"=1"), environ...)
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // the tests look at ProcessState
	}()
	t.Cleanup(func() { p.stop(syscall.SIGKILL) })
	return p
}

// run runs the program and returns its exit code and its output.
func run(t *testing.T, args []string, environ ...string) (int, string) {
	t.Helper()
	p := start(t, args, environ...)
	return p.wait(), p.output.String()
}

// wait waits for the exit and returns the exit code.
func (p *program) wait() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(2 * time.Minute):
		p.t.Fatalf("%v does not end:\n%s", p.cmd.Args[1:], p.output)
	}
	return p.cmd.ProcessState.ExitCode()
}

// stop sends a signal, waits for the exit and returns the exit code, which is -1 if a signal ended the program.
func (p *program) stop(signal syscall.Signal) int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Error(err)
	}
	return p.wait()
}

var apiLine = regexp.MustCompile(`API +(http://\S+)\n`)

// up starts the platform and waits until it is ready. It also returns its URL.
func up(t *testing.T, environ ...string) (p *program, url string) {
	t.Helper()
	p = start(t, []string{"up"}, environ...)
	platformtest.Eventually(t, startTimeout, "the platform is ready", func() bool {
		select {
		case <-p.ended:
			t.Fatalf("up ended with %d:\n%s", p.cmd.ProcessState.ExitCode(), p.output)
		default:
		}
		if match := apiLine.FindStringSubmatch(p.output.String()); match != nil {
			url = match[1]
		}
		return url != ""
	})
	return p, url
}

// dataDir returns a directory that the private databases' users can enter, which that of t.TempDir is not.
func dataDir(t *testing.T) string {
	t.Helper()
	dir, err := platformtest.ServerDir("cli")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// leftovers returns the command lines of processes that have dir among their arguments.
func leftovers(t *testing.T, dir string) (found []string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err == nil && bytes.Contains(content, []byte(dir)) { // an error means that the process has just exited
			found = append(found, strings.ReplaceAll(string(content), "\x00", " "))
		}
	}
	return found
}
