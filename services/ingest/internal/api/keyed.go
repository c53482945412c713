package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"

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
	known  bool
	open   bool  // the key may be of anybody who saw its address: only a signature says that the caller sends this
	quota  *bill // of the caller, or of its network while it is unknown or open
}

// format says how the bodies of a path are read. M is what a body holds.
type format[M any] struct {
	bytes     int64 // of a body, decoded
	tooLarge  error // the answer beyond them
	signed    bool  // store checks a signature, and then calls prove
	sniffGzip bool  // a body may be gzip without Content-Encoding
	copied    bool  // what is stored is a copy of the body, which takes memory once more
	// unwrap returns the document of a body, which may be in a form, in the place of the body. It may be nil.
	unwrap func(body []byte) ([]byte, error)
	// key returns the key that a body names, and nothing if there is none or the body is malformed. It reads what anybody sends, so it must
	// take no memory that grows with the body. It may be nil.
	key func(body []byte) string
	// memory returns how many bytes parse and its result take besides a body of size bytes; nil for less than the body.
	memory func(size int) int
	// parse decodes a body of a known caller and says how many events it is charged for. What it returns may refer to the body.
	parse func(body []byte, caller authn.Principal) (M, int, error)
}

// receive answers a request up to its status: it finds out the caller by the header, by key, or by the key in the body, reads the body,
// charges its bytes and events, decodes it and calls store. Before the caller is known, its network is charged. key is one that is not in the body, or nothing. A body that is refused as a
// whole is noted for GET /rejections. The memory of the body is released when receive returns.
func receive[M any](s *Server, w http.ResponseWriter, r *http.Request, key string, f format[M], store func(*keyed, M) error) (err error) {
	k := &keyed{Server: s, w: w, ctx: r.Context(), open: f.signed}
	unknown := k.identify(key)
	if unknown != nil && (key != "" || !errors.Is(unknown, authn.ErrNoCredentials)) {
		return unknown
	}
	if unknown != nil || k.open {
		k.quota = s.billOfNetwork(k.ctx, w)
		if err := k.quota.events(1); err != nil {
			return err
		}
	}
	defer func() { k.quota.settle(&err) }()
	content, err := s.bodies.Open(w, r, body.Terms{Holder: k.holder(), Bytes: f.bytes, TooLarge: f.tooLarge, Charge: k.quota.bytes, SniffGzip: f.sniffGzip})
	if err != nil {
		return k.unreadable(err)
	}
	defer content.Close()
	data, err := content.ReadAll()
	if err == nil && f.copied {
		err = content.Keep(len(data))
	}
	if err != nil {
		return k.unreadable(err)
	}
	document, malformed := data, error(nil)
	if f.unwrap != nil {
		document, malformed = f.unwrap(data)
	}
	if err := k.take(f.key, document, len(data)); err != nil {
		return err
	}
	if malformed != nil {
		return k.unreadable(malformed)
	}
	if f.memory != nil {
		if err := content.Keep(f.memory(len(document))); err != nil {
			return err
		}
	}
	parsed, n, err := f.parse(document, k.caller)
	if err != nil {
		return k.unreadable(err)
	}
	if err := k.quota.events(min(n, MaxUnits)); err != nil {
		return err
	}
	return store(k, parsed)
}

func (k *keyed) identify(key string) error {
	caller, err := edge.Identify(k.ctx, key)
	if err == nil {
		k.caller, k.quota, k.known = caller, k.bill(k.ctx, k.w, caller), true
	}
	return err
}

// holder returns whose memory the body takes.
func (k *keyed) holder() inflight.Holder {
	network := httpserver.ClientNetwork(k.ctx)
	if k.known && !k.open && k.caller.Public == nil { // the visitors of a page do not keep others of its account out
		return inflight.Holder{Caller: k.caller.Owner, Address: network}
	}
	return inflight.Holder{Caller: "address " + network, Address: network}
}

// take finds out the caller by the key in the body, if it is not known yet, and charges it for the body of size bytes in place of its
// network.
func (k *keyed) take(find func([]byte) string, document []byte, size int) error {
	if k.known {
		return nil
	}
	key, network := "", k.quota
	if find != nil {
		key = find(document)
	}
	if err := k.identify(key); err != nil {
		return err
	}
	network.giveBack()
	return k.quota.bytes(int64(size))
}

// prove charges the caller for a signed body of size bytes in place of its network.
func (k *keyed) prove(size int) error {
	k.quota.giveBack()
	k.open, k.quota = false, k.bill(k.ctx, k.w, k.caller)
	return k.quota.bytes(int64(size))
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

// tell says in the header of the answer how many of n items are stored. A page does not learn that: its visitors could ask what is.
func (k *keyed) tell(stored, n int) {
	if k.caller.Public == nil {
		k.w.Header().Set("Events-Accepted", strconv.Itoa(stored))
		k.w.Header().Set("Events-Rejected", strconv.Itoa(n-stored))
	}
}

// unreadable notes that the body was refused as a whole, if its sender is known, and returns the error.
func (k *keyed) unreadable(err error) error {
	if !k.known {
		return err
	}
	return k.unread(k.caller, err)
}
