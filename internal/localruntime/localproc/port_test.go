package localproc_test

import (
	"net"
	"strconv"
	"testing"

	"github.com/hp-analytics/hp-analytics/internal/localruntime/localproc"
)

func TestFreePortIsOutsideEphemeralRange(t *testing.T) {
	t.Parallel()
	port, err := localproc.FreePort(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if port < 1024 || port >= 32768 {
		t.Errorf("port %d is in the privileged or the ephemeral range", port)
	}
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
}
