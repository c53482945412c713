package platformtest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// trafficVariable makes the test binary a client: its value is the plan in JSON.
const trafficVariable = "HPA_TEST_TRAFFIC"

// trafficConnections is how many connections a client keeps alive, each with one request at a time.
const trafficConnections = 64

// trafficPlan is what a client does for each line that it reads.
type trafficPlan struct {
	Address  string
	Request  []byte // as it is on the wire
	Requests int    // per round
	Status   int    // of every answer
}

// Traffic is a process that sends one request again and again over connections that it keeps alive. It is a process of its
// own, so that what it costs is not part of what the server costs.
type Traffic struct {
	tb       testing.TB
	requests int
	in       io.Writer
	out      *bufio.Reader
}

// StartTraffic starts a client of the server at address. Every answer must have the status. The test binary needs Main.
func StartTraffic(tb testing.TB, address string, r *http.Request, status, requests int) *Traffic {
	tb.Helper()
	var wire bytes.Buffer
	if err := again(tb, r).Write(&wire); err != nil {
		tb.Fatal(err)
	}
	plan, err := json.Marshal(trafficPlan{Address: address, Request: wire.Bytes(), Requests: requests, Status: status})
	if err != nil {
		tb.Fatal(err)
	}
	command := exec.CommandContext(tb.Context(), os.Args[0])
	command.Env = append(os.Environ(), trafficVariable+"="+string(plan))
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := command.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = in.Close()
		_ = command.Wait() // killed with the context, or done
	})
	return &Traffic{tb: tb, requests: requests, in: in, out: bufio.NewReader(out)}
}

// again returns the request with its body from the beginning, which GetBody has if there is one.
func again(tb testing.TB, r *http.Request) *http.Request {
	tb.Helper()
	r = r.Clone(tb.Context())
	if r.GetBody == nil {
		return r
	}
	var err error
	if r.Body, err = r.GetBody(); err != nil {
		tb.Fatal(err)
	}
	return r
}

// Round sends the requests of one round and returns when all are answered.
func (t *Traffic) Round() {
	t.tb.Helper()
	if _, err := io.WriteString(t.in, "go\n"); err != nil {
		t.tb.Fatal(err)
	}
	if line, err := t.out.ReadString('\n'); err != nil || line != "done\n" {
		t.tb.Fatalf("the client says %q, %v", line, err)
	}
}

// Requests is the number of requests of a round.
func (t *Traffic) Requests() int { return t.requests }

// CPU returns the CPU time that this process has used so far, in user and in system mode.
func CPU(tb testing.TB) time.Duration {
	tb.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// sendTraffic is the client process.
func sendTraffic(source string, in io.Reader, out io.Writer) error {
	var plan trafficPlan
	if err := json.Unmarshal([]byte(source), &plan); err != nil {
		return err
	}
	conns := make([]net.Conn, trafficConnections)
	for i := range conns {
		conn, err := net.Dial("tcp", plan.Address) //nolint:noctx // it ends with the process
		if err != nil {
			return err
		}
		conns[i] = conn
	}
	for lines := bufio.NewScanner(in); lines.Scan(); {
		errs := make([]error, len(conns))
		var sending sync.WaitGroup
		for i, conn := range conns {
			sending.Go(func() { errs[i] = plan.send(conn, plan.Requests/len(conns)) })
		}
		sending.Wait()
		if err := errors.Join(errs...); err != nil {
			return err
		}
		if _, err := io.WriteString(out, "done\n"); err != nil {
			return err
		}
	}
	return nil
}

func (p trafficPlan) send(conn net.Conn, requests int) error {
	answers := bufio.NewReaderSize(conn, 64<<10)
	for range requests {
		if _, err := conn.Write(p.Request); err != nil {
			return err
		}
		answer, err := http.ReadResponse(answers, nil) //nolint:bodyclose // it is read to its end, and the connection is ours
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, answer.Body); err != nil {
			return err
		}
		if answer.StatusCode != p.Status {
			return fmt.Errorf("status %d, want %d", answer.StatusCode, p.Status)
		}
	}
	return nil
}
