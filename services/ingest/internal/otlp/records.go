// Package otlp translates log records of OpenTelemetry into events. Bodies are those of OTLP/HTTP, in protobuf and in JSON:
// https://opentelemetry.io/docs/specs/otlp/#otlphttp. A record with an event name is an event
// (https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-eventname).
//
// A message of two bytes takes some hundred in memory once it is decoded. Therefore only the lists around the records are walked, and the
// records are decoded one after the other.
package otlp

import (
	"crypto/sha256"
	"errors"
	"fmt"

	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/decode"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

const (
	// MaxRecord is how many bytes a record and a resource have at most.
	MaxRecord = 64 << 10
	// maxNesting bounds the nesting of values; properties allow less.
	maxNesting = 100
)

var (
	errTooMany = errs.New(errs.TooLarge, "batch_too_large", fmt.Sprintf("A request holds at most %d log records.", event.MaxBatch))
	errLarge   = fmt.Errorf("it has more than %d bytes", MaxRecord)
)

// record is a log record as it was sent, with the resource that it comes from. Both belong to the body.
type record struct{ raw, resource []byte }

// Request is what a body holds.
type Request struct {
	encoding encoding
	records  []record
}

// Len returns how many records there are.
func (r *Request) Len() int { return len(r.records) }

func (r *Request) add(raw, from []byte) error {
	if len(r.records) == event.MaxBatch {
		return errTooMany
	}
	r.records = append(r.records, record{raw: raw, resource: from})
	return nil
}

// encoding is how messages are encoded.
type encoding struct {
	unmarshal func(raw []byte, to proto.Message) error
	// each calls member with each member of a message whose value is a message or a list of them.
	each func(raw []byte, member func(field int, value []byte) error) error
}

// Fields of the messages around the records, which have the same numbers in each of them.
const (
	fieldResource = 1 // of ResourceLogs
	fieldList     = 2 // LogRecords of ScopeLogs, ScopeLogs of ResourceLogs
	fieldLogs     = 1 // ResourceLogs of the request
)

// Protobuf reads a body in protobuf.
func Protobuf(body []byte) (Request, error) {
	return parse(body, encoding{
		unmarshal: proto.UnmarshalOptions{DiscardUnknown: true, RecursionLimit: maxNesting}.Unmarshal, each: eachField,
	})
}

// JSON reads a body in JSON. Its ids of traces are hexadecimal, which also is base64 as package protojson expects it; they are not stored.
func JSON(body []byte) (Request, error) {
	return parse(body, encoding{
		unmarshal: protojson.UnmarshalOptions{DiscardUnknown: true, RecursionLimit: maxNesting}.Unmarshal, each: eachMember,
	})
}

func parse(body []byte, e encoding) (Request, error) {
	r := Request{encoding: e}
	err := e.each(body, func(field int, value []byte) error {
		if field != fieldLogs {
			return nil
		}
		return r.resource(value)
	})
	switch {
	case errors.Is(err, errTooMany):
		return Request{}, errTooMany
	case err != nil:
		return Request{}, errs.New(errs.Malformed, "malformed_otlp", "The body is no ExportLogsServiceRequest in its encoding.").Because(err)
	}
	return r, nil
}

// resource reads ResourceLogs. The resource may stand behind the records.
func (r *Request) resource(raw []byte) error {
	var from []byte
	err := r.encoding.each(raw, func(field int, value []byte) error {
		if field == fieldResource {
			from = value
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.encoding.each(raw, func(field int, scope []byte) error {
		if field != fieldList {
			return nil
		}
		return r.encoding.each(scope, func(field int, value []byte) error {
			if field != fieldList {
				return nil
			}
			return r.add(value, from)
		})
	})
}

// eachField is that of protobuf.
func eachField(raw []byte, member func(field int, value []byte) error) error {
	for len(raw) > 0 {
		number, kind, n := protowire.ConsumeTag(raw)
		if n < 0 {
			return protowire.ParseError(n)
		}
		raw = raw[n:]
		if kind != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(number, kind, raw); n < 0 {
				return protowire.ParseError(n)
			}
			raw = raw[n:]
			continue
		}
		value, n := protowire.ConsumeBytes(raw)
		if n < 0 {
			return protowire.ParseError(n)
		}
		raw = raw[n:]
		if err := member(int(number), value); err != nil {
			return err
		}
	}
	return nil
}

// numbers are those of the members in JSON. Both forms of their names are taken, as protobuf's JSON mapping wants it.
var numbers = map[string]int{
	"resourceLogs": fieldLogs, "resource_logs": fieldLogs, "resource": fieldResource,
	"scopeLogs": fieldList, "scope_logs": fieldList, "logRecords": fieldList, "log_records": fieldList,
}

// eachMember is that of JSON.
func eachMember(raw []byte, member func(field int, value []byte) error) error {
	return decode.Object(raw, func(name, value []byte) error {
		field, known := numbers[string(name)]
		switch {
		case !known || value[0] == 'n':
			return nil
		case value[0] != '[':
			return member(field, value)
		}
		return decode.Array(value, func(element []byte) error { return member(field, element) })
	})
}

// decoded is a record with its resource.
type decoded struct {
	*logs.LogRecord

	resource *resource.Resource
	digest   [sha256.Size]byte // of both, as they were sent
}

func (r *Request) decode(i int) (decoded, error) {
	from := r.records[i]
	d := decoded{LogRecord: &logs.LogRecord{}, resource: &resource.Resource{}}
	if len(from.raw) > MaxRecord || len(from.resource) > MaxRecord {
		return d, errLarge
	}
	if err := r.encoding.unmarshal(from.raw, d.LogRecord); err != nil {
		return d, errUnreadable
	}
	if len(from.resource) > 0 {
		if err := r.encoding.unmarshal(from.resource, d.resource); err != nil {
			return d, errUnreadable
		}
	}
	hash := sha256.New()
	hash.Write(from.resource)
	hash.Write([]byte{0})
	hash.Write(from.raw)
	hash.Sum(d.digest[:0])
	return d, nil
}

var errUnreadable = errors.New("it is no LogRecord, or its resource is no Resource")
