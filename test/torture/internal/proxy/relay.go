package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
)

// Relay is a proxy in front of a server whose protocol it does not know, such as Redis.
type Relay struct {
	listener net.Listener
	backend  string
	gate     gate
	wg       sync.WaitGroup

	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool
}

// ListenRelay starts a relay for the server at backend on a free port.
func ListenRelay(ctx context.Context, backend string) (*Relay, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	r := &Relay{listener: listener, backend: backend, conns: map[net.Conn]struct{}{}}
	r.wg.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			r.wg.Go(func() { r.serve(client) })
		}
	})
	return r, nil
}

// Addr returns the address of the relay.
func (r *Relay) Addr() string { return r.listener.Addr().String() }

// Drop holds everything back in both directions while drop is true. No connection is closed.
func (r *Relay) Drop(drop bool) { r.gate.set(drop) }

// Close stops the relay and closes all its connections.
func (r *Relay) Close() error {
	err := r.listener.Close()
	r.Drop(false)
	r.mu.Lock()
	r.closed = true
	for conn := range r.conns {
		_ = conn.Close() // both sides are meant to fail
	}
	r.mu.Unlock()
	r.wg.Wait()
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close the relay: %w", err)
	}
	return nil
}

// serve connects a client with the server until either side ends the connection.
func (r *Relay) serve(client net.Conn) {
	defer client.Close() //nolint:errcheck // everything is sent
	r.gate.pass()
	server, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", r.backend)
	if err != nil {
		return
	}
	defer server.Close() //nolint:errcheck // everything is sent
	if !r.keep(client, server) {
		return
	}
	defer r.forget(client, server)
	var back sync.WaitGroup
	back.Go(func() { r.copy(client, server) })
	r.copy(server, client)
	back.Wait()
}

// copy forwards from one side to the other until either ends, and then ends both.
func (r *Relay) copy(to, from net.Conn) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		r.gate.pass()
		if n > 0 {
			if _, failed := to.Write(buffer[:n]); failed != nil {
				err = failed
			}
		}
		if err != nil {
			_, _ = to.Close(), from.Close()
			return
		}
	}
}

func (r *Relay) keep(conns ...net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, conn := range conns {
		r.conns[conn] = struct{}{}
	}
	return !r.closed
}

func (r *Relay) forget(conns ...net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, conn := range conns {
		delete(r.conns, conn)
	}
}
