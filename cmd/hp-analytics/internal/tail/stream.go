package tail

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// outputError is one of the output, not of the connection.
type outputError struct{ error }

// stored follows the stream of what is stored, through broken connections.
func (f *follower) stored(ctx context.Context) error {
	path := "/analytics/live"
	if len(f.Query) > 0 {
		path += "?" + f.Query.Encode()
	}
	last, wait, away, begun := "", firstPause, false, false
	for {
		err := f.once(ctx, path, &last, func() {
			switch {
			case !begun:
				f.note("Connected.")
			case away:
				f.note("The connection is back.")
			}
			wait, away, begun = firstPause, false, true
		})
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if refused, ok := errors.AsType[refusal](err); ok {
			return refused
		}
		if broken, ok := errors.AsType[outputError](err); ok {
			return broken.error
		}
		if !away {
			f.note("The connection is lost; what comes meanwhile is shown when it is back (%v).", err)
		}
		away = true
		if err := pause(ctx, wait); err != nil {
			return err
		}
		wait = min(2*wait, mostPause)
	}
}

// once reads one answer of the stream. It keeps the id of the last message that was shown.
func (f *follower) once(ctx context.Context, path string, last *string, ready func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	silence := time.AfterFunc(patience, cancel)
	defer silence.Stop()
	answer, err := f.get(ctx, path, *last)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 1<<20)
	var id, event, data string
	for lines.Scan() {
		silence.Reset(patience)
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			id = value
		case "event":
			event = value
		case "data":
			data = value
		}
		if lines.Text() != "" {
			continue
		}
		switch {
		case event == "ready":
			ready()
		case event == "end":
			return fmt.Errorf("the platform ends the stream: %s", data)
		case data != "":
			if event == "" {
				event = "event"
			}
			if err := f.show(event, json.RawMessage(data)); err != nil {
				return outputError{err}
			}
		}
		if id != "" {
			*last = id
		}
		id, event, data = "", "", ""
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read the stream: %w", err)
	}
	return errors.New("the stream ended")
}
