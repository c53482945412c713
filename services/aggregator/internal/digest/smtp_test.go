package digest

import (
	"bufio"
	"fmt"
	"io"
	"mime/quotedprintable"
	"net"
	"strings"
	"sync"
	"testing"
)

// smtpServer is a mail server that keeps what it gets, and answers the end of a message as it is told.
type smtpServer struct {
	port int

	mu       sync.Mutex
	letters  []string
	verdicts []string // of the next messages; after them, all are accepted. "hang up" closes the connection in place of an answer
}

func newSMTPServer(t *testing.T) *smtpServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &smtpServer{port: listener.Addr().(*net.TCPAddr).Port}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		all.Wait()
	})
	return s
}

func (s *smtpServer) serve(conn net.Conn) {
	defer conn.Close()
	lines := bufio.NewScanner(conn)
	say := func(text string) { fmt.Fprintf(conn, "%s\r\n", text) }
	say("220 test")
	for lines.Scan() {
		switch command := strings.ToUpper(lines.Text()); {
		case strings.HasPrefix(command, "EHLO"), strings.HasPrefix(command, "HELO"):
			say("250 test")
		case strings.HasPrefix(command, "DATA"):
			say("354 go on")
			var letter strings.Builder
			for lines.Scan() && lines.Text() != "." {
				letter.WriteString(lines.Text() + "\n")
			}
			verdict := s.verdict(letter.String())
			if verdict == "hang up" {
				return
			}
			say(verdict)
		case strings.HasPrefix(command, "QUIT"):
			say("221 bye")
			return
		default:
			say("250 fine")
		}
	}
}

// answers sets the answers to the next messages.
func (s *smtpServer) answers(verdicts ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.verdicts = verdicts
}

func (s *smtpServer) verdict(letter string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	verdict := "250 kept"
	if len(s.verdicts) > 0 {
		verdict, s.verdicts = s.verdicts[0], s.verdicts[1:]
	}
	if strings.HasPrefix(verdict, "2") {
		s.letters = append(s.letters, letter)
	}
	return verdict
}

// kept returns the letters that were accepted, as people read them.
func (s *smtpServer) kept() (letters []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, letter := range s.letters {
		header, body, _ := strings.Cut(letter, "\n\n")
		text, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(body)))
		if err != nil {
			text = []byte(err.Error())
		}
		letters = append(letters, header+"\n\n"+string(text))
	}
	return letters
}
