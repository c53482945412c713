// Package proxy sits between a service and its Postgres and cuts connections at chosen moments of a commit, at which the two
// sides can disagree about its outcome. It parses the Postgres protocol, without TLS.
package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
)

// Moment is the point in a commit at which a connection is cut.
type Moment int

// The moments. After Before and Promised the service has to write again. After During and Partly its retry has to find
// everything stored.
const (
	// Before: the request to commit does not reach Postgres.
	Before Moment = iota
	// During: Postgres commits, but the service receives no answer.
	During
	// Promised: the service receives CommandComplete, but Postgres never receives the Sync that commits, and rolls back.
	// Only implicit transactions can be cut here.
	Promised
	// Partly: Postgres commits; the service receives CommandComplete, but not ReadyForQuery.
	Partly
	// After: the service receives the whole answer, and finds its connection closed at the next statement.
	After
)

// Proxy is a proxy in front of one Postgres.
type Proxy struct {
	listener net.Listener
	backend  string
	gate     gate
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

// Listen starts a proxy for the Postgres at backend on a free port. It keeps the port while Postgres restarts.
func Listen(ctx context.Context, backend string) (*Proxy, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	p := &Proxy{listener: listener, backend: backend, sessions: map[*session]struct{}{}}
	p.wg.Go(p.accept)
	return p, nil
}

// Addr returns the address of the proxy.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Arm cuts the next commit that can be cut at moment, once. The channel is closed when that has happened. Several cuts take
// their commits in order.
func (p *Proxy) Arm(moment Moment) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	done := make(chan struct{})
	p.armed = append(p.armed, armed{moment, done})
	return done
}

// take returns the cut for a commit, or nil.
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

// Sever cuts all connections at once and returns their number.
func (p *Proxy) Sever() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for s := range p.sessions {
		s.close()
	}
	return len(p.sessions)
}

// Drop holds everything back in both directions while drop is true. No connection is closed: a side that gives up is not
// noticed by the other before that.
func (p *Proxy) Drop(drop bool) { p.gate.set(drop) }

// Close stops the proxy and closes all its connections.
func (p *Proxy) Close() error {
	p.Drop(false)
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

// serve connects a client with Postgres until either side or a cut ends the connection.
func (p *Proxy) serve(client net.Conn) {
	p.gate.pass()
	server, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", p.backend)
	if err != nil {
		_ = client.Close() // as if Postgres refused the connection
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
