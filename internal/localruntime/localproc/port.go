package localproc

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports are chosen below the ephemeral range of Linux. Otherwise an outgoing connection could take a port before the server
// binds it, or while the server restarts.
const (
	firstPort = 15000
	lastPort  = 32000
	portTries = 100
)

// FreePort returns a TCP port of the loopback interface that nothing listens on. Another process may take it before the
// caller binds it; callers then retry with another port.
func FreePort(ctx context.Context) (int, error) {
	var last error
	for range portTries {
		port := firstPort + rand.IntN(lastPort-firstPort) //nolint:gosec // needs no secure randomness
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
