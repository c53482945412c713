package proxy

import (
	"bufio"
	"net"
	"sync/atomic"
)

// session is one connection of a client.
type session struct {
	proxy          *Proxy
	client, server net.Conn
	conversation   *conversation
	cut            atomic.Pointer[armed] // set before the request to commit is forwarded
}

// close closes both sides.
func (s *session) close() {
	_ = s.client.Close() // both sides are meant to fail
	_ = s.server.Close()
}

// requests forwards the messages of the client until a cut or the end. After a cut that lets Postgres continue, it leaves
// the server's side open, and answers closes it.
func (s *session) requests() {
	reader := bufio.NewReaderSize(s.client, 64<<10)
	startup, err := readStartup(reader)
	if err != nil {
		s.close()
		return
	}
	if _, err := s.server.Write(startup); err != nil {
		s.close()
		return
	}
	var buffer message
	for {
		buffer, err = readMessage(reader, buffer)
		s.proxy.gate.pass()
		if err != nil {
			s.close()
			return
		}
		kind, err := s.conversation.see(buffer)
		if err != nil {
			s.close()
			return
		}
		if kind != none {
			if a := s.proxy.take(kind); a != nil {
				s.cutCommit(a, kind, buffer, reader)
				return
			}
		}
		if _, err := s.server.Write(buffer); err != nil {
			s.close()
			return
		}
	}
}

// cutCommit cuts the commit that m requests.
func (s *session) cutCommit(a *armed, kind commitKind, m message, reader *bufio.Reader) {
	if a.moment == Before {
		s.close()
		close(a.done)
		return
	}
	s.cut.Store(a)
	_, err := s.server.Write(m)
	for kind == implicit && err == nil && m.kind() != typeSync {
		if m, err = readMessage(reader, nil); err != nil {
			break
		}
		if m.kind() == typeSync && a.moment == Promised {
			_, err = s.server.Write(flush)
			break
		}
		_, err = s.server.Write(m)
	}
	if err != nil {
		s.close()
	}
}

// answers forwards the messages of the server until a cut or the end. The client's side of a cut is closed only once Postgres has
// finished: a client whose connection breaks earlier sends a cancel request, which may overtake the commit.
func (s *session) answers() {
	defer func() {
		s.close()
		if cut := s.cut.Load(); cut != nil {
			close(cut.done) // also if Postgres died meanwhile
		}
	}()
	reader := bufio.NewReaderSize(s.server, 64<<10)
	var buffer message
	var err error
	for {
		buffer, err = readMessage(reader, buffer)
		s.proxy.gate.pass()
		if err != nil {
			return
		}
		if buffer.kind() == typeReadyForQuery {
			s.conversation.status.Store(int32(buffer.body()[0]))
		}
		cut := s.cut.Load()
		if cut == nil || cut.moment.passes(buffer) {
			if _, err := s.client.Write(buffer); err != nil && (cut == nil || cut.moment != After) {
				return
			}
		}
		if cut != nil && cut.moment.ends(buffer) {
			return
		}
	}
}

// passes reports whether the client still receives a message of the answer to the commit.
func (m Moment) passes(answer message) bool {
	switch m {
	case During:
		return false
	case Partly:
		return answer.kind() != typeReadyForQuery
	default:
		return true
	}
}

// ends reports whether a message of the answer is the last before the cut.
func (m Moment) ends(answer message) bool {
	if m == Promised {
		return answer.kind() == typeCommandComplete || answer.kind() == typeErrorResponse
	}
	return answer.kind() == typeReadyForQuery
}
