// Package openapi serves the contract of the HTTP API: the document itself at /openapi.yaml and Swagger UI at /docs.
//
// The document is the file openapi.yaml at the root of the repository; the copy beside this file exists because embed
// cannot reach outside of a package. Package validate holds requests against it, package openapitest holds the answers
// of handlers against it in tests.
package openapi

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // for the document
	"encoding/base64"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
)

//go:generate cp ../../openapi.yaml openapi.yaml

//go:embed openapi.yaml
var source string

// Source returns the text of openapi.yaml.
func Source() string { return source }

// Mount serves /openapi.yaml and /docs on r.
func Mount(r chi.Router) {
	sum := sha256.Sum256([]byte(source))
	etag := `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
	r.Get("/openapi.yaml", func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Type", "application/yaml")
		header.Set("ETag", etag)
		// Clients ask each time whether it has changed: a stale contract would be worse than a short request.
		header.Set("Cache-Control", "public, no-cache")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader([]byte(source)))
	})
	mountDocs(r)
}
