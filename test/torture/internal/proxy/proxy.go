// Package proxy stands between a service and its Postgres and cuts connections at chosen moments of a commit: the moments
// at which the two sides come to believe different things. It reads the Postgres protocol, without TLS.
package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
)

// Moment says where in a commit a connection is cut.
type Moment int

// The moments. In what the service may believe, the first and the third must lead to another attempt, the second and the
// fourth to an attempt that finds everything stored.
const (
	// Before: the request to commit does not reach Postgres.
	Before Moment = iota
	// During: Postgres commits, but the service hears nothing.
	During
	// Promised: the service hears that the statement is complete, but Postgres never gets the Sync that commits it, and
	// rolls back. Only statements that commit by themselves can be cut there.
	Promised
	// Partly: Postgres commits; the service hears that the statement is complete, but not that Postgres is ready again.
	Partly
	// After: the service hears everything, and finds its connection dead the next time.
	After
)

// Proxy is a proxy in front of one Postgres.
type Proxy struct {
	listener net.Listener
	backend  string
	wg       sync.WaitGroup

	mu       sync.Mutex
	armed    []armed
	sessions map[*session]struct{}
	closed   bool
}

type armed struct {
	moment Moment
	done   chan struct{}
}

// Listen starts a proxy for the Postgres at backend on a free port, which it keeps while Postgres comes and goes.
func Listen(ctx context.Context, backend string) (*Proxy, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	p := &Proxy{listener: listener, backend: backend, sessions: map[*session]struct{}{}}
	p.wg.Go(p.accept)
	return p, nil
}

// Addr returns the address to connect to.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Arm has the next commit that can be cut at moment cut there, once. The channel is closed when that has happened.
// Several wait for their commits in order.
func (p *Proxy) Arm(moment Moment) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	done := make(chan struct{})
	p.armed = append(p.armed, armed{moment, done})
	return done
}

// take returns the cut that is to happen to a commit, if there is one.
func (p *Proxy) take(kind commitKind) *armed {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, a := range p.armed {
		if kind == implicit || a.moment != Promised {
			p.armed = append(p.armed[:i:i], p.armed[i+1:]...)
			return &a
		}
	}
	return nil
}

// Sever cuts all connections, whatever they are doing, and returns how many there were.
func (p *Proxy) Sever() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for s := range p.sessions {
		s.close()
	}
	return len(p.sessions)
}

// Close ends the proxy and all its connections.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	err := p.listener.Close()
	p.Sever()
	p.wg.Wait()
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close the proxy: %w", err)
	}
	return nil
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() { p.serve(client) })
	}
}

// serve connects a client with Postgres until one of them, or a cut, ends it.
func (p *Proxy) serve(client net.Conn) {
	server, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", p.backend)
	if err != nil {
		_ = client.Close() // as if Postgres had refused
		return
	}
	s := &session{proxy: p, client: client, server: server, conversation: newConversation()}
	p.mu.Lock()
	p.sessions[s] = struct{}{}
	closed := p.closed
	p.mu.Unlock()
	if closed {
		s.close()
	}
	defer func() {
		s.close()
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.sessions, s)
	}()
	var down sync.WaitGroup
	down.Go(s.answers)
	s.requests()
	down.Wait()
}
