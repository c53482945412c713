package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"

	collector "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/otlp"
)

// typeProtobuf is the media type of protobuf in OTLP/HTTP. The other one is JSON.
const typeProtobuf = "application/x-protobuf"

var errNoOTLP = errs.New(errs.UnsupportedMedia, "unsupported_media_type", "Send application/x-protobuf, or application/json in UTF-8.")

// SendOTLPLogs answers POST /otlp/v1/logs. Answers and errors are in the encoding of the request. Exporters send again after 429 and 503
// only.
func (s *Server) SendOTLPLogs(w http.ResponseWriter, r *http.Request) {
	encoding, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || encoding != typeProtobuf {
		encoding = "application/json"
	}
	var refused *collector.ExportLogsPartialSuccess
	err = receive(s, w, r, "", otlpFormat(r), func(k *keyed, request otlp.Request) (err error) {
		refused, err = k.storeOTLP(&request)
		return err
	})
	if err != nil {
		writeStatus(w, r, encoding, err)
		return
	}
	writeProto(w, http.StatusOK, encoding, &collector.ExportLogsServiceResponse{PartialSuccess: refused})
}

func otlpFormat(r *http.Request) format[otlp.Request] {
	return format[otlp.Request]{
		bytes: event.MaxBatchBytes, tooLarge: errBodyTooLarge, copied: true,
		parse: func(data []byte, _ authn.Principal) (request otlp.Request, n int, err error) {
			switch encoding, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); {
			case encoding == typeProtobuf:
				request, err = otlp.Protobuf(data)
			case encoding == "application/json", r.Header.Get("Content-Type") == "":
				request, err = otlp.JSON(data)
			default:
				err = errNoOTLP
			}
			return request, request.Len(), err
		},
	}
}

// storeOTLP returns how many records were refused, and why; nil if none was.
func (k *keyed) storeOTLP(request *otlp.Request) (*collector.ExportLogsPartialSuccess, error) {
	drafts := request.Events()
	stored, err := k.store(drafts)
	if err != nil {
		return nil, err
	}
	k.tell(stored, len(drafts))
	for i := range drafts {
		if d := &drafts[i]; d.Refused() {
			n, why := len(drafts)-stored, d.Problems[0]
			message := fmt.Sprintf("%d of %d log records were refused; the first one for the reason %s: %s", n, len(drafts), why.Code, why.Detail)
			return &collector.ExportLogsPartialSuccess{RejectedLogRecords: int64(n), ErrorMessage: message}, nil
		}
	}
	return nil, nil
}

// statusOnly takes a problem document in place of the client, with the headers of the answer.
type statusOnly struct {
	http.ResponseWriter

	status   int
	document bytes.Buffer
}

// WriteHeader implements http.ResponseWriter.
func (s *statusOnly) WriteHeader(status int) { s.status = status }

// Write implements http.ResponseWriter.
func (s *statusOnly) Write(p []byte) (int, error) { return s.document.Write(p) }

// writeStatus writes an error as exporters read it, with the status and the headers that it has elsewhere.
func writeStatus(w http.ResponseWriter, r *http.Request, encoding string, err error) {
	answer := statusOnly{ResponseWriter: w}
	problem.Write(&answer, r, err)
	var document problem.Document
	if err := json.Unmarshal(answer.document.Bytes(), &document); err != nil {
		document.Code = "internal" // not reached: it was just encoded
	}
	writeProto(w, answer.status, encoding, &status.Status{Message: document.Code + ": " + document.Detail})
}

func writeProto(w http.ResponseWriter, status int, encoding string, answer proto.Message) {
	marshal := protojson.Marshal
	if encoding == typeProtobuf {
		marshal = proto.Marshal
	}
	content, err := marshal(answer)
	if err != nil { // not reached: the texts are UTF-8
		status, content = http.StatusInternalServerError, nil
	}
	w.Header().Set("Content-Type", encoding)
	w.WriteHeader(status)
	w.Write(content)
}
