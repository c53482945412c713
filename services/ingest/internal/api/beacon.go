package api

import (
	"fmt"
	"mime"
	"net/http"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/body"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/decode"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/foreign"
)

// maxBeacon bounds a beacon, decoded. Browsers let a page have 64 KiB in flight when it is left.
const maxBeacon = 128 << 10

var errBeaconTooLarge = errs.New(errs.TooLarge, "body_too_large", fmt.Sprintf("The body has at most %d bytes, decoded.", maxBeacon))

// SendBeacon answers POST /events/beacon.
func (s *Server) SendBeacon(w http.ResponseWriter, r *http.Request, params SendBeaconParams) {
	result, err := s.sendBeacon(w, r, params)
	if err == nil {
		err = respond(w, http.StatusAccepted, result)
	}
	if err != nil {
		problem.Write(w, r, err)
	}
}

// sendBeacon stores what a page sends, and says of it only what the page can know: whether its events are well formed.
func (s *Server) sendBeacon(w http.ResponseWriter, r *http.Request, params SendBeaconParams) (BeaconResult, error) {
	if err := requireText(r); err != nil {
		return BeaconResult{}, err
	}
	key := ""
	if params.Key != nil {
		key = *params.Key
	}
	var result BeaconResult
	err := receive(s, w, r, key, beaconFormat, func(k *keyed, drafts []event.Draft) error {
		if k.dropped(r, len(drafts)) {
			result = BeaconResult{Errors: []ItemError{}, Dropped: BeaconResultDroppedBot}
			return nil
		}
		if _, err := k.store(drafts); err != nil {
			return err
		}
		result = beaconResult(drafts)
		return nil
	})
	return result, err
}

var beaconFormat = format[[]event.Draft]{
	bytes: maxBeacon, tooLarge: errBeaconTooLarge,
	key: func(body []byte) string { return foreign.Key(body, "key") },
	parse: func(body []byte, _ authn.Principal) ([]event.Draft, int, error) {
		drafts, err := decode.Beacon(body)
		return drafts, len(drafts), err
	},
}

// beaconResult counts as taken what is stored, and what is refused because of what is stored: only who may read learns of that.
func beaconResult(drafts []event.Draft) BeaconResult {
	result := BeaconResult{Errors: []ItemError{}}
	for i := range drafts {
		var shown []errs.Field
		for _, p := range drafts[i].Problems {
			if !event.FromStore(p.Code) {
				shown = append(shown, p)
			}
		}
		if len(shown) == 0 {
			result.Taken++
		}
		result.Errors = append(result.Errors, itemErrors(i, shown)...)
	}
	return result
}

// requireText takes JSON with the type of plain text, too: browsers send that without asking first.
func requireText(r *http.Request) error {
	if name, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && name == "text/plain" {
		return nil
	}
	return body.RequireJSON(r)
}
