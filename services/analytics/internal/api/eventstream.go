package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"

	"github.com/hp-analytics/hp-analytics/services/analytics/internal/live"
)

const (
	// patience is how long a reader may take nothing.
	patience = 10 * time.Second
	// retryAfter is how long browsers wait before they open the stream again, in milliseconds.
	retryAfter = "2000"
)

// eventWriter writes server-sent events (WHATWG HTML, section 9.2). It does nothing after an error.
type eventWriter struct {
	w          http.ResponseWriter
	controller *http.ResponseController
	buffer     bytes.Buffer
	err        error
}

func newEventWriter(w http.ResponseWriter) *eventWriter {
	return &eventWriter{w: w, controller: http.NewResponseController(w)}
}

// header writes the header.
func (e *eventWriter) header() {
	header := e.w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no") // nginx passes each message on at once
	e.w.WriteHeader(http.StatusOK)
}

// begin writes the header and the first message.
func (e *eventWriter) begin(p live.Position) {
	e.header()
	e.buffer.WriteString("retry: " + retryAfter + "\n")
	e.message("ready", p, struct{}{})
	e.flush()
}

// item writes an item of a stream.
func (e *eventWriter) item(item live.Item) {
	switch item.Kind {
	case live.Omitted:
		e.message("omitted", item.Position, LiveCount{Kind: new(kindOf(item.Sort)), Count: &item.Count})
	case live.Gap:
		var count LiveCount
		if item.Count >= 0 {
			count.Count = &item.Count
		}
		e.message("gap", item.Position, count)
	default:
		name, data := liveMessage(item)
		e.message(name, item.Position, data)
	}
}

// beat writes a comment. It has an id, so that a reader who sees few events does not fall behind.
func (e *eventWriter) beat(p live.Position) {
	e.buffer.WriteString(": still here\nid: " + p.String() + "\n\n")
	e.flush()
}

// end writes the last message.
func (e *eventWriter) end(code LiveEndCode) {
	e.buffer.WriteString("retry: " + retryAfter + "\nevent: end\ndata: {\"code\":\"" + string(code) + "\"}\n\n")
	e.flush()
}

func (e *eventWriter) message(name string, p live.Position, data any) {
	encoded, err := json.Marshal(data)
	if err != nil {
		e.err = err
		return
	}
	e.buffer.WriteString("id: " + p.String() + "\n")
	if name != "" {
		e.buffer.WriteString("event: " + name + "\n")
	}
	e.buffer.WriteString("data: ")
	e.buffer.Write(encoded)
	e.buffer.WriteString("\n\n")
}

// flush sends what was written.
func (e *eventWriter) flush() {
	defer e.buffer.Reset()
	if e.err != nil {
		return
	}
	_ = e.controller.SetWriteDeadline(time.Now().Add(patience)) // a writer of a test has none
	if _, e.err = e.w.Write(e.buffer.Bytes()); e.err == nil {
		e.err = e.controller.Flush()
	}
}
