package ingest_test

import (
	"bytes"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/hp-analytics/hp-analytics/internal/platform/config"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
)

// proxy stands between a service and its Postgres and can cut a connection at a chosen moment.
type proxy struct {
	t        *testing.T
	listener net.Listener
	backend  string

	mu  sync.Mutex
	cut *cut
}

// cut says when a connection ends: with the next message to the server that holds text, which still gets through or not.
type cut struct {
	text    []byte
	forward bool
}

// startProxy starts a proxy in front of the database of cfg and returns the configuration that goes through it.
func startProxy(t *testing.T, cfg postgres.Config) (*proxy, postgres.Config) {
	t.Helper()
	u, err := url.Parse(string(cfg.URL))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, listener: listener, backend: u.Host}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { p.serve(client) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		wg.Wait() // the service has closed its connections by now
	})
	u.Host = listener.Addr().String()
	cfg.URL = config.URL(u.String())
	return p, cfg
}

// cutAt arms the proxy. It cuts once.
func (p *proxy) cutAt(text string, forward bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = &cut{text: []byte(text), forward: forward}
}

// armed returns the cut if message is the one, and disarms it.
func (p *proxy) armed(message []byte) *cut {
	p.mu.Lock()
	defer p.mu.Unlock()
	found := p.cut
	if found == nil || !bytes.Contains(message, found.text) {
		return nil
	}
	p.cut = nil
	return found
}

// cancelRequest begins a connection that asks the server to cancel what another one does.
// Source: https://www.postgresql.org/docs/15/protocol-message-formats.html
var cancelRequest = []byte{0, 0, 0, 16, 0x04, 0xd2, 0x16, 0x2e}

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.backend)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(client, server)
		client.Close()
	}()
	buffer := make([]byte, 64<<10)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			return
		}
		if bytes.HasPrefix(buffer[:n], cancelRequest) {
			return // pgx has noticed the cut; who has lost the answer cannot take the question back
		}
		found := p.armed(buffer[:n])
		if found != nil {
			client.Close() // before the server can answer
		}
		if found == nil || found.forward {
			if _, err := server.Write(buffer[:n]); err != nil {
				return
			}
		}
		if found != nil {
			return
		}
	}
}
