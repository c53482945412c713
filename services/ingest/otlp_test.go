package ingest_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	collector "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
)

// OpenTelemetry's exporter for Go, which sends protobuf, with and without gzip.
func TestOTLPExporter(t *testing.T) {
	t.Parallel()
	p := start(t)
	for _, compression := range []otlploghttp.Compression{otlploghttp.NoCompression, otlploghttp.GzipCompression} {
		exporter, err := otlploghttp.New(t.Context(), otlploghttp.WithEndpointURL(p.url+"/otlp/v1/logs"),
			otlploghttp.WithHeaders(map[string]string{"Authorization": "Bearer " + p.ingestKey}), otlploghttp.WithCompression(compression))
		if err != nil {
			t.Fatal(err)
		}
		provider := sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewSimpleProcessor(exporter)))
		var record log.Record
		record.SetEventName("order.paid")
		record.SetTimestamp(time.Now().Add(-time.Hour))
		record.SetBody(attribute.MapValue(attribute.String("plan", "pro"), attribute.Int("n", int(compression))))
		record.AddAttributes(attribute.String("user.id", "ada"), attribute.String("product.sku", "SHOE"))
		provider.Logger("shop").Emit(t.Context(), record)
		if err := provider.Shutdown(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}
	if n := p.count(`SELECT count(*) FROM ingest.events WHERE product IS NOT NULL AND properties::jsonb->>'plan' = 'pro'`); n != 2 {
		t.Errorf("%d events are stored, want 2", n)
	}
}

// A request in JSON, and again, is stored once, and the answer says what was refused.
func TestOTLPJSON(t *testing.T) {
	t.Parallel()
	p := start(t)
	body := fmt.Sprintf(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[
		{"eventName":"x","timeUnixNano":"%d","attributes":[{"key":"user.id","value":{"stringValue":"ada"}}]},{"body":{"stringValue":"a line"}}]}]}]}`,
		time.Now().Add(-time.Hour).UnixNano())
	for _, packed := range []bool{false, true} {
		content, header := []byte(body), []string(nil)
		if packed {
			content, header = gzipped(t, body), []string{"Content-Encoding", "gzip"}
		}
		a := p.send(http.MethodPost, "/otlp/v1/logs", p.ingestKey, content, header...)
		a.expect(t, http.StatusOK, "")
		partial, _ := a.object["partialSuccess"].(map[string]any)
		if text, _ := partial["errorMessage"].(string); partial["rejectedLogRecords"] != "1" || !strings.Contains(text, "no_event_name") {
			t.Errorf("the answer is %v", a.object)
		}
	}
	if n := p.count(`SELECT count(*) FROM ingest.events`); n != 1 {
		t.Errorf("%d events are stored, want 1", n)
	}
}

// Errors are in the encoding of the request, and have the status that exporters look at.
func TestOTLPErrors(t *testing.T) {
	t.Parallel()
	p := start(t)
	for contentType, want := range map[string]int{"application/x-protobuf": http.StatusBadRequest, "application/json": http.StatusBadRequest, "text/plain": http.StatusUnsupportedMediaType} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+"/otlp/v1/logs", strings.NewReader("{\"resourceLogs\":["))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", contentType)
		request.Header.Set("Authorization", "Bearer "+p.ingestKey)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		content := make([]byte, 1000)
		n, _ := response.Body.Read(content)
		response.Body.Close()
		var message status.Status
		if contentType == "application/x-protobuf" {
			err = proto.Unmarshal(content[:n], &message)
		} else if !strings.Contains(string(content[:n]), `"message"`) {
			t.Errorf("%s: %s", contentType, content[:n])
		}
		if response.StatusCode != want || err != nil || contentType == "application/x-protobuf" && !strings.Contains(message.Message, "malformed_otlp") {
			t.Errorf("%s: %d %q, %v", contentType, response.StatusCode, content[:n], err)
		}
	}
	many, err := proto.Marshal(&collector.ExportLogsServiceRequest{})
	if err != nil {
		t.Fatal(err)
	}
	p.send(http.MethodPost, "/otlp/v1/logs", "", many).expect(t, http.StatusUnauthorized, "credentials_required")
}
