package localproc_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestStartRunsUnprivilegedInDataDirectory(t *testing.T) {
	home := newHome(t)
	t.Setenv("ADMIN_PASSWORD", "a secret of ours")
	process := mustStart(t, home, "id -u; pwd; env; kill -STOP $$")
	log := func() string { return process.LogTail() }
	eventually(t, "the server logs its environment", func() bool { return strings.Contains(log(), "PATH=") })

	lines := strings.Fields(log())
	if uid := lines[0]; uid == "0" {
		t.Error("the server runs as root")
	}
	if data, err := filepath.EvalSymlinks(home.Data()); err != nil || lines[1] != data {
		t.Errorf("the server works in %s, want %s (%v)", lines[1], data, err)
	}
	if strings.Contains(log(), "ADMIN_PASSWORD") {
		t.Error("the server inherited the environment")
	}
	group, err := syscall.Getpgid(process.PID())
	if err != nil || group != process.PID() {
		t.Errorf("the server is in process group %d (%v), so a Ctrl-C reaches it", group, err)
	}
}

func TestDoneReportsUnexpectedExit(t *testing.T) {
	t.Parallel()
	home := newHome(t)
	process := mustStart(t, home, "echo the disk is on fire; exit 3")
	select {
	case <-process.Done():
	case <-time.After(time.Minute):
		t.Fatal("the exit of the server was not reported")
	}
	for _, want := range []string{"exit status 3", "the disk is on fire", home.File("log")} {
		if text := process.Err().Error(); !strings.Contains(text, want) {
			t.Errorf("the error does not say %q: %s", want, text)
		}
	}
}

func TestStopSendsFirstSignal(t *testing.T) {
	t.Parallel()
	process := mustStart(t, newHome(t), `trap 'echo stopping; exit 0' TERM; echo ready; while true; do sleep 0.01; done`)
	eventually(t, "the server is ready", func() bool { return strings.Contains(process.LogTail(), "ready") })
	if err := process.Stop(t.Context(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if text := process.Err().Error(); !strings.Contains(text, "exit status 0") || !strings.Contains(text, "stopping") {
		t.Errorf("the server did not handle SIGTERM: %s", text)
	}
	if err := process.Stop(t.Context(), syscall.SIGTERM); err != nil {
		t.Errorf("stopping twice: %v", err)
	}
}

func TestStopEscalates(t *testing.T) {
	t.Parallel()
	process := mustStart(t, newHome(t), `trap 'echo ignored' TERM; trap '' INT; echo ready; while true; do sleep 0.01; done`)
	eventually(t, "the server is ready", func() bool { return strings.Contains(process.LogTail(), "ready") })
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := process.Stop(ctx, syscall.SIGTERM, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if text := process.Err().Error(); !strings.Contains(text, "ignored") || !strings.Contains(text, "killed") {
		t.Errorf("want a server that ignored a signal and was killed: %s", text)
	}
}

func TestServerDiesWithParent(t *testing.T) {
	t.Parallel()
	owner, server := startOwner(t, newHome(t))
	if !alive(server) {
		t.Fatal("the server does not run")
	}
	if err := owner.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the server dies with its parent", func() bool { return !alive(server) })
}

// onNewThread runs f on a thread that ends with it. This is not the main thread, which lives as long as the process.
func onNewThread(f func()) {
	go func() {
		runtime.LockOSThread() // never unlocked, so the thread ends with the goroutine
		if syscall.Gettid() != os.Getpid() {
			f()
			return
		}
		done := make(chan struct{})
		go func() { // the main thread is held, so this runs on another
			defer close(done)
			runtime.LockOSThread()
			f()
		}()
		<-done
	}()
}

// The kernel sends the parent-death signal when the thread that started the server ends. Here the caller's thread ends.
func TestServerOutlivesStartingThread(t *testing.T) {
	t.Parallel()
	home := newHome(t)
	started := make(chan error, 1)
	var thread int
	onNewThread(func() {
		thread = syscall.Gettid()
		process, err := start(context.WithoutCancel(t.Context()), home, `trap 'echo death signal; exit' TERM; echo ready; while true; do sleep 0.01; done`)
		if err == nil {
			t.Cleanup(func() {
				if strings.Contains(process.LogTail(), "death signal") {
					t.Error("the server got the death signal although its parent lives")
				}
				_ = process.Kill()
			})
		}
		started <- err
	})
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	eventually(t, "the thread ends", func() bool {
		_, err := os.Stat(fmt.Sprintf("/proc/self/task/%d", thread))
		return os.IsNotExist(err)
	})
	log := func() string { content, _ := os.ReadFile(home.File("log")); return string(content) }
	eventually(t, "the server is ready", func() bool { return strings.Contains(log(), "ready") })
}

func TestFailedStartReleasesHome(t *testing.T) {
	t.Parallel()
	home := newHome(t)
	if err := os.Chmod(home.Data(), 0); err != nil {
		t.Fatal(err)
	}
	if process, err := start(t.Context(), home, "exit 0"); err == nil {
		_ = process.Kill()
		t.Fatal("a server started in an inaccessible directory")
	}
	if err := os.Chmod(home.Data(), 0o700); err != nil {
		t.Fatal(err)
	}
	mustStart(t, home, "exit 0")
}

func TestOneServerPerHome(t *testing.T) {
	t.Parallel()
	home := newHome(t)
	process := mustStart(t, home, "exec sleep 60")
	_, err := start(t.Context(), home, "exec sleep 60")
	if err == nil || !strings.Contains(err.Error(), "process "+strconv.Itoa(os.Getpid())) {
		t.Fatalf("want an error that names this process, got %v", err)
	}
	if err := process.Kill(); err != nil {
		t.Fatal(err)
	}
	mustStart(t, home, "exec sleep 60")
}
