package proxy

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgproto3"
)

// The message types that the proxy handles (PostgreSQL documentation, "Message Formats").
const (
	typeParse   = 'P'
	typeBind    = 'B'
	typeExecute = 'E'
	typeQuery   = 'Q'
	typeSync    = 'S'

	typeCommandComplete = 'C'
	typeErrorResponse   = 'E'
	typeReadyForQuery   = 'Z'

	idle = 'I' // the status in ReadyForQuery outside of a transaction
)

// flush makes the server send its pending answers. Unlike Sync, it does not commit.
var flush = message{'H', 0, 0, 0, 4}

// maxMessage bounds what is held in memory. The largest that the platform sends is a flush of 4,000 events.
const maxMessage = 256 << 20

// message is one protocol message, its header included.
type message []byte

func (m message) kind() byte   { return m[0] }
func (m message) body() []byte { return m[5:] }

// readMessage reads a message with a type. It reuses buffer if it is large enough.
func readMessage(r *bufio.Reader, buffer []byte) (message, error) {
	header, err := r.Peek(5)
	if err != nil {
		return nil, err
	}
	return readN(r, buffer, 1+int(binary.BigEndian.Uint32(header[1:])))
}

// readStartup reads the first packet of a client, which has a length but no type.
func readStartup(r *bufio.Reader) ([]byte, error) {
	header, err := r.Peek(4)
	if err != nil {
		return nil, err
	}
	return readN(r, nil, int(binary.BigEndian.Uint32(header)))
}

func readN(r io.Reader, buffer []byte, n int) ([]byte, error) {
	if n < 4 || n > maxMessage {
		return nil, fmt.Errorf("a message of %d bytes: this is not the Postgres protocol", n)
	}
	if cap(buffer) < n {
		buffer = make([]byte, n)
	}
	_, err := io.ReadFull(r, buffer[:n])
	return buffer[:n], err
}

// writes matches statements that change rows of the platform. It does not match FOR UPDATE.
var writes = regexp.MustCompile(`(?i)\binsert\s+into\b|\bdelete\s+from\b|\bupdate\s+\w+\.\w+`)

// conversation tracks the client's messages far enough to recognise a commit. An implicit transaction commits when the Sync
// after its Execute arrives, an explicit one with the query COMMIT.
type conversation struct {
	status     atomic.Int32    // of the last ReadyForQuery; stored before the client can see it
	statements map[string]bool // by name: whether it writes
	portals    map[string]bool
	wrote      bool // in the current transaction
}

func newConversation() *conversation {
	return &conversation{statements: map[string]bool{}, portals: map[string]bool{}}
}

// commitKind is the way in which a message commits.
type commitKind int

const (
	none     commitKind = iota
	implicit            // an Execute, with the Sync that follows it
	explicit            // a query
)

// see tracks a message to the server, and reports whether and how it commits a write.
func (c *conversation) see(m message) (commitKind, error) {
	switch m.kind() {
	case typeParse:
		var p pgproto3.Parse
		if err := p.Decode(m.body()); err != nil {
			return none, fmt.Errorf("decode Parse: %w", err)
		}
		c.statements[p.Name] = writes.MatchString(p.Query)
	case typeBind:
		var b pgproto3.Bind
		if err := b.Decode(m.body()); err != nil {
			return none, fmt.Errorf("decode Bind: %w", err)
		}
		c.portals[b.DestinationPortal] = c.statements[b.PreparedStatement]
	case typeExecute:
		var e pgproto3.Execute
		if err := e.Decode(m.body()); err != nil {
			return none, fmt.Errorf("decode Execute: %w", err)
		}
		return c.statement(c.portals[e.Portal], implicit), nil
	case typeQuery:
		return c.query(strings.ToLower(strings.Trim(string(m.body()), "\x00; \n"))), nil
	}
	return none, nil
}

func (c *conversation) query(text string) commitKind {
	switch {
	case text == "commit" && c.wrote:
		c.wrote = false
		return explicit
	case text == "commit", text == "rollback", strings.HasPrefix(text, "begin"):
		c.wrote = false
		return none
	default:
		return c.statement(writes.MatchString(text), explicit)
	}
}

// statement tracks a statement that is about to run.
func (c *conversation) statement(writes bool, kind commitKind) commitKind {
	if !writes {
		return none
	}
	if c.status.Load() == idle {
		return kind
	}
	c.wrote = true
	return none
}
