package cli

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"
)

// closedPipe returns the end of a pipe that nobody reads.
func closedPipe(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return w
}

// TestACommandWithoutAReaderEndsQuietly runs programs whose standard output nobody reads: they say nothing, and no signal ends them.
func TestACommandWithoutAReaderEndsQuietly(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"version"}, {"--help"}, {"import", "--help"}} {
		var complaint bytes.Buffer
		cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
		cmd.Env = append(os.Environ(), asProgram+"=1")
		cmd.Stdout, cmd.Stderr = closedPipe(t), &complaint
		_ = cmd.Run() // the state has the code
		if code := cmd.ProcessState.ExitCode(); code != exitUnread || complaint.Len() > 0 {
			t.Errorf("%q: exit code %d (%v), says %q", args, code, cmd.ProcessState, &complaint)
		}
	}
}

// TestOutputThatNobodyReadsEndsTheContext checks that a command that goes on writing notices, too.
func TestOutputThatNobodyReadsEndsTheContext(t *testing.T) {
	t.Parallel()
	ctx, out, stop := newCommandOutput(t.Context(), closedPipe(t))
	defer stop()
	cmd := &cobra.Command{Run: func(cmd *cobra.Command, _ []string) {
		cmd.Println("started")
		<-cmd.Context().Done()
	}}
	cmd.SetArgs(nil)
	cmd.SetOut(out.writer())
	cmd.SetErr(out.writer())
	if err := cmd.ExecuteContext(ctx); err != nil || !out.unread.Load() || ctx.Err() != context.Canceled {
		t.Errorf("%v, unread %v, %v", err, out.unread.Load(), ctx.Err())
	}
}

// wantQuietEnd demands that a platform whose output was read up to the address, and then no more, stops as after an interrupt.
func wantQuietEnd(t *testing.T, environ ...string) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaint bytes.Buffer
	cmd := exec.CommandContext(t.Context(), os.Args[0], "up")
	cmd.Env = append(append(os.Environ(), asProgram+"=1"), environ...)
	cmd.Stdout, cmd.Stderr = w, &complaint
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	line, err := bufio.NewReader(r).ReadString('\n')
	_ = r.Close()
	_ = cmd.Wait() // the state has the code
	if code := cmd.ProcessState.ExitCode(); err != nil || strings.TrimSpace(line) == "" || code != exitUnread {
		t.Errorf("read %q, %v; exit code %d (%v), says %q", line, err, code, cmd.ProcessState.Sys().(syscall.WaitStatus), &complaint)
	}
}
