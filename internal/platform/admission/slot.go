package admission

import (
	"context"
	"io"
	"sync"
	"time"
)

// Slot is the right of a request to be worked on. Its methods may be called on nil, which is the slot of a service without a limit.
type Slot struct {
	limiter *Limiter
	key     Key

	mu       sync.Mutex
	caller   *caller // nil while the slot is given back
	ended    bool    // by Release
	awaiting bool    // the client is to send something
}

// Release gives the slot back, once. What the request does from then on is not limited.
func (s *Slot) Release() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.giveBack()
}

// giveBack returns the slot to the limiter. The caller holds s.mu.
func (s *Slot) giveBack() {
	if s.caller != nil {
		s.limiter.release(s.caller)
		s.caller = nil
	}
}

// lend gives the slot back if the client has still not sent what it is to send.
func (s *Slot) lend() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.awaiting {
		s.giveBack()
	}
}

// await marks the time in which the client is to send something.
func (s *Slot) await() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.awaiting = true
}

// resume ends what await began. If the slot was given back, it waits for another one.
func (s *Slot) resume(ctx context.Context) error {
	s.mu.Lock()
	s.awaiting = false
	lent := s.caller == nil && !s.ended
	s.mu.Unlock()
	if !lent {
		return nil
	}
	c, err := s.limiter.enter(ctx, s.key)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.caller = c
	if s.ended { // by Release, while this one waited
		s.giveBack()
	}
	return nil
}

// patience is how long a slot waits for the next bytes of a body. Those of most requests are there before the handler asks.
const patience = 20 * time.Millisecond

// Body returns body so that its request gives the slot back while the client sends nothing: a slow connection holds no slot. Read
// and Close may not be called at the same time, and Read fails with a refusal if it gets no slot for what has arrived.
func (s *Slot) Body(ctx context.Context, body io.ReadCloser) io.ReadCloser {
	if s == nil {
		return body
	}
	return &slowBody{ReadCloser: body, ctx: ctx, slot: s}
}

type slowBody struct {
	io.ReadCloser

	ctx   context.Context
	slot  *Slot
	timer *time.Timer // nil before the first Read
	err   error       // of a refusal
}

// Read implements io.Reader.
func (b *slowBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	b.slot.await()
	if b.timer == nil {
		b.timer = time.AfterFunc(patience, b.slot.lend)
	} else {
		b.timer.Reset(patience)
	}
	n, err := b.ReadCloser.Read(p)
	b.timer.Stop()
	if b.err = b.slot.resume(b.ctx); b.err != nil {
		return 0, b.err
	}
	return n, err
}

type slotKey struct{}

// With returns a context that carries a slot, for Release.
func With(ctx context.Context, s *Slot) context.Context {
	if s == nil {
		return ctx
	}
	return context.WithValue(ctx, slotKey{}, s)
}

// Release gives the slot of the request of ctx back before the request ends. Handlers call it before they wait for something that
// costs nothing, or do what has a limit of its own.
func Release(ctx context.Context) {
	s, _ := ctx.Value(slotKey{}).(*Slot)
	s.Release()
}
