package localproc

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports come from below the range that Linux takes for outgoing connections, which would otherwise now and then grab one
// before its server has bound it, or while that restarts.
const (
	firstPort = 15000
	lastPort  = 32000
	portTries = 100
)

// FreePort returns a TCP port of the loopback interface that nothing listens on. Another process can take it before it
// is used; callers try again with another.
func FreePort(ctx context.Context) (int, error) {
	var last error
	for range portTries {
		port := firstPort + rand.IntN(lastPort-firstPort) //nolint:gosec // no secret
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			err = listener.Close()
		}
		if err == nil {
			return port, nil
		}
		last = err
	}
	return 0, fmt.Errorf("find a free port: %w", last)
}
