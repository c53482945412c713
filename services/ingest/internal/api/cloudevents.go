package api

import (
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/cloudevents"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

var errNoCloudEvent = errs.New(errs.UnsupportedMedia, "unsupported_media_type",
	"Send application/cloudevents+json or application/cloudevents-batch+json in UTF-8, or one event with its attributes in headers that begin with ce-.")

// SendCloudEvents answers POST /cloudevents. The answer has no body: Knative takes one that is no CloudEvent for a failure, and sends
// again.
func (s *Server) SendCloudEvents(w http.ResponseWriter, r *http.Request) {
	f := format[cloudevents.Request]{bytes: event.MaxBatchBytes, tooLarge: errBodyTooLarge, copied: true, parse: cloudEventsParser(r)}
	if err := receive(s, w, r, "", f, (*keyed).storeCloudEvents); err != nil {
		problem.Write(w, r, err)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

func (k *keyed) storeCloudEvents(request cloudevents.Request) error {
	stored, err := k.store(request.Events())
	if err == nil {
		k.tell(stored, request.Len())
	}
	return err
}

// cloudEventsParser returns how the body is read, by the rules of the HTTP binding (section 3).
func cloudEventsParser(r *http.Request) func([]byte, authn.Principal) (cloudevents.Request, int, error) {
	return func(data []byte, _ authn.Principal) (request cloudevents.Request, n int, err error) {
		contentType := r.Header.Get("Content-Type")
		name, params, err := mime.ParseMediaType(contentType)
		charset := params["charset"]
		switch {
		case contentType != "" && err != nil, charset != "" && !strings.EqualFold(charset, "utf-8"):
			return request, 0, errNoCloudEvent
		case name == "application/cloudevents+json":
			request, err = cloudevents.Structured(data)
		case name == "application/cloudevents-batch+json":
			request, err = cloudevents.Batch(data)
		case strings.HasPrefix(name, "application/cloudevents"), r.Header.Get("Ce-Specversion") == "":
			return request, 0, errNoCloudEvent
		default:
			request, err = cloudevents.Binary(cloudEventAttributes(r.Header), contentType, data), nil
		}
		return request, request.Len(), err
	}
}

// cloudEventAttributes returns the attributes in headers (section 3.1.3 of the HTTP binding).
func cloudEventAttributes(header http.Header) map[string]string {
	attributes := map[string]string{}
	for name, values := range header {
		if attribute, found := strings.CutPrefix(name, "Ce-"); found && len(values) > 0 {
			attributes[strings.ToLower(attribute)] = cloudEventValue(values[0])
		}
	}
	return attributes
}

var unescapeQuoted = strings.NewReplacer(`\\`, `\`, `\"`, `"`)

// cloudEventValue decodes the value of a header (section 3.1.3.2): it may be in quotes, and characters may be percent-encoded.
func cloudEventValue(value string) string {
	if n := len(value); n >= 2 && value[0] == '"' && value[n-1] == '"' {
		value = unescapeQuoted.Replace(value[1 : n-1])
	}
	if text, err := url.PathUnescape(value); err == nil {
		return text
	}
	return value // of a sender that does not encode
}
