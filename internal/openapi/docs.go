package openapi

import (
	"bytes"
	_ "embed" // for the page
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/swaggest/swgui/v5emb"
)

// The page replaces the one of swgui, which needs inline scripts.
var (
	//go:embed docs/index.html
	docsPage []byte
	//go:embed docs/docs.js
	docsScript []byte
	//go:embed docs/docs.css
	docsStyle []byte
)

// docsPolicy forbids the page to load anything from other hosts and to run inline scripts, so that neither a text in the
// document nor an answer shown on the page can run as code. It allows data: images for the icons of Swagger UI.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// mountDocs serves Swagger UI from embedded files.
func mountDocs(r chi.Router) {
	// The links of the page are relative, so that they work under any prefix that a proxy puts before the path.
	const kind = "text/html; charset=utf-8"
	r.Get("/docs", serveDocsFile(kind, docsPage))
	r.Get("/docs/", serveDocsFile(kind, bytes.ReplaceAll(docsPage, []byte(`"docs/`), []byte(`"`))))
	assets := v5emb.New("HP Analytics", "/openapi.yaml", "/docs/")
	r.Get("/docs/docs.js", serveDocsFile("text/javascript; charset=utf-8", docsScript))
	r.Get("/docs/docs.css", serveDocsFile("text/css; charset=utf-8", docsStyle))
	r.Get("/docs/*", func(w http.ResponseWriter, r *http.Request) {
		setDocsHeaders(w.Header())
		assets.ServeHTTP(w, r)
	})
}

func serveDocsFile(contentType string, content []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		setDocsHeaders(w.Header())
		w.Header().Set("Content-Type", contentType)
		w.Write(content)
	}
}

func setDocsHeaders(header http.Header) {
	header.Set("Content-Security-Policy", docsPolicy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cache-Control", "public, max-age=3600") // the files change only with the binary
}
