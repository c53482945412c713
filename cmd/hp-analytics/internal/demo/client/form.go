package client

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/klauspost/compress/zstd"
)

// Form is how a batch of events is written down.
type Form struct {
	Lines    bool   // NDJSON instead of one JSON document
	Encoding string // a Content-Encoding: "", Gzip or Zstd
}

// The encodings of bodies.
const (
	Gzip = "gzip"
	Zstd = "zstd"
)

// Forms returns all forms that the platform takes.
func Forms() []Form {
	return []Form{{}, {Lines: true}, {Encoding: Gzip}, {Lines: true, Encoding: Zstd}, {Encoding: Zstd}, {Lines: true, Encoding: Gzip}}
}

// encode returns events in this form and the headers that say so.
func (f Form) encode(events []Event) ([]byte, http.Header, error) {
	header := http.Header{"Content-Type": {"application/json"}}
	if f.Lines {
		header.Set("Content-Type", "application/x-ndjson")
	}
	if f.Encoding != "" {
		header.Set("Content-Encoding", f.Encoding)
	}
	var body bytes.Buffer
	encoder, err := f.compress(&body)
	if err == nil {
		err = f.write(encoder, events)
	}
	if err == nil {
		err = encoder.Close()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("encode %d events: %w", len(events), err)
	}
	return body.Bytes(), header, nil
}

func (f Form) write(w io.Writer, events []Event) error {
	encoder := json.NewEncoder(w)
	if !f.Lines {
		return encoder.Encode(map[string]any{"events": events})
	}
	for _, event := range events {
		if err := encoder.Encode(event); err != nil {
			return err
		}
	}
	return nil
}

func (f Form) compress(w io.Writer) (io.WriteCloser, error) {
	switch f.Encoding {
	case Gzip:
		return gzip.NewWriter(w), nil
	case Zstd:
		return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
	default:
		return plain{w}, nil
	}
}

// plain is a writer with nothing to close.
type plain struct{ io.Writer }

// Close does nothing.
func (plain) Close() error { return nil }
