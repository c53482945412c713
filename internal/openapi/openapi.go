// Package openapi serves the contract of the HTTP API: the document itself at /openapi.yaml and Swagger UI at /docs.
//
// Package edge mounts the operations of a service by it, package validate checks requests against it, and package
// openapitest checks answers against it in tests.
package openapi

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	hpanalytics "github.com/hp-analytics/hp-analytics"
)

//go:generate go run ./internal/routes ../..

// Source returns the text of openapi.yaml.
func Source() string { return hpanalytics.Contract }

// Mount serves /openapi.yaml and /docs on r.
func Mount(r chi.Router) {
	source := []byte(Source())
	sum := sha256.Sum256(source)
	etag := `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
	r.Get("/openapi.yaml", func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Type", "application/yaml")
		header.Set("ETag", etag)
		// Clients revalidate each time: a conditional request costs less than working with a stale contract.
		header.Set("Cache-Control", "public, no-cache")
		// Only these conditions are part of the contract: others and ranges would be answered with a 412 or 416 in plain text.
		for _, name := range []string{"Range", "If-Match", "If-Unmodified-Since"} {
			r.Header.Del(name)
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(source))
	})
	mountDocs(r)
}
