package inflight

import (
	"sync"
	"sync/atomic"
)

// share is what the requests of one holder hold together.
type share struct {
	held     atomic.Int64
	requests int // guarded by shares.mu
}

// shares are the shares of the holders with requests in flight. The others take no memory.
type shares struct {
	mu   sync.Mutex
	byID map[string]*share
}

// join returns the share of a holder for one more request.
func (s *shares) join(id string) *share {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byID == nil {
		s.byID = make(map[string]*share)
	}
	held := s.byID[id]
	if held == nil {
		held = new(share)
		s.byID[id] = held
	}
	held.requests++
	return held
}

// leave ends what join began.
func (s *shares) leave(id string, held *share) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if held.requests--; held.requests == 0 {
		delete(s.byID, id)
	}
}
