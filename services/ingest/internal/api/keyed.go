package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/hp-analytics/hp-analytics/internal/openapi/edge"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/body"
	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/inflight"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/bots"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// keyed is a request whose key may be in its body, so that the caller may be known only after that is read. Until then the memory of the
// body counts for the address.
type keyed struct {
	*Server

	w      http.ResponseWriter
	ctx    context.Context
	caller authn.Principal
	quota  *bill // nil while the caller is unknown
	// sniffGzip says that a body may be gzip without Content-Encoding.
	sniffGzip bool
}

// open returns a request with the caller of its header or of a key that is not in the body, if it has either.
func (s *Server) open(w http.ResponseWriter, r *http.Request, key string) (*keyed, error) {
	k := &keyed{Server: s, w: w, ctx: r.Context()}
	if err := k.identify(key); err != nil && (key != "" || !errors.Is(err, authn.ErrNoCredentials)) {
		return nil, err
	}
	return k, nil
}

func (k *keyed) identify(key string) error {
	caller, err := edge.Identify(k.ctx, key)
	if err == nil {
		k.caller, k.quota = caller, k.bill(k.ctx, k.w, caller)
	}
	return err
}

// read returns the body, which holds at most limit bytes. release returns its memory to the budget.
func (k *keyed) read(r *http.Request, limit int64, tooLarge error) (data []byte, release func(), err error) {
	network := httpserver.ClientNetwork(k.ctx)
	holder := inflight.Holder{Caller: "address " + network, Address: network}
	if k.quota != nil && k.caller.Public == nil { // the visitors of a page do not keep others of its account out
		holder.Caller = k.caller.Owner
	}
	content, err := k.bodies.Open(k.w, r, body.Terms{Holder: holder, Bytes: limit, TooLarge: tooLarge, Charge: k.charge, SniffGzip: k.sniffGzip})
	if err != nil {
		return nil, nil, err
	}
	if data, err = content.ReadAll(); err != nil {
		content.Close()
		return nil, nil, err
	}
	return data, content.Close, nil
}

func (k *keyed) charge(n int64) error {
	if k.quota == nil {
		return nil
	}
	return k.quota.bytes(n)
}

// take finds out the caller, by the key in a body of size bytes if it is not known yet, and charges for n events.
func (k *keyed) take(key string, size, n int) error {
	if k.quota == nil {
		if err := k.identify(key); err != nil {
			return err
		}
		if err := k.quota.bytes(int64(size)); err != nil {
			return err
		}
	}
	return k.quota.events(min(n, MaxUnits))
}

// settle is that of the bill. The handler defers it.
func (k *keyed) settle(err *error) {
	if k.quota != nil {
		k.quota.settle(err)
	}
}

// codeBot is the code by which events of bots are counted.
const codeBot = "bot"

// dropped reports whether n events of a request are dropped because a bot sends them.
func (k *keyed) dropped(r *http.Request, n int) bool {
	if k.caller.Public == nil || !k.caller.Public.DropBots || bots.Find(r.UserAgent()) == "" {
		return false
	}
	for range n {
		k.outcomes.reject(codeBot)
	}
	return true
}

// store stores events, and counts what became of them.
func (k *keyed) store(drafts []event.Draft) (stored int, err error) {
	if len(drafts) == 0 {
		return 0, nil
	}
	sender := callerOf(k.caller)
	_, verdicts, err := k.recorder.Events(k.ctx, sender, drafts)
	if err != nil {
		return 0, err
	}
	return k.eventsDone(sender, drafts, verdicts), nil
}

// unreadable notes that the body was refused as a whole, if its sender is known, and returns the error.
func (k *keyed) unreadable(err error) error {
	if k.quota == nil {
		return err
	}
	return k.unread(k.caller, err)
}
