// Package web serves the dashboard: a page at / and below /app, and the files that it loads. The page uses the HTTP API and nothing
// else. build bundles it from src and vendor.
package web

import (
	"bytes"
	"embed"
	"io/fs"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/klauspost/compress/gzhttp"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
)

//go:generate go run ./build .

//go:embed dist
var dist embed.FS

// policy allows the page what it needs: its own scripts, styles and API. There are no inline scripts or styles, so no text that is
// shown can run as code.
const (
	ownContent = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
		"base-uri 'none'; form-action 'self'; "
	policy = ownContent + "frame-ancestors 'none'"
)

// sharedPath shows a report that was shared by a link. It uses no session and changes nothing, so other pages may embed it (?embed=1):
// a click that they provoke does no harm.
const (
	sharedPath     = "/app/shared"
	embeddedPolicy = ownContent + "frame-ancestors *"
)

var errNoFile = errs.New(errs.NotFound, "no_such_path", "The dashboard has no such file. A page that was loaded before an upgrade has to be loaded again.")

// Mount serves the dashboard on r.
func Mount(r chi.Router) {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // the name is right
	}
	page, err := fs.ReadFile(files, "index.html")
	if err != nil {
		panic(err) // it is embedded
	}
	wrapper, err := gzhttp.NewWrapper()
	if err != nil {
		panic(err) // there are no options
	}
	index := wrapper(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Type", "text/html; charset=utf-8")
		header.Set("Cache-Control", "no-cache") // it names the newest files
		secure(header)
		if r.URL.Path == sharedPath && r.URL.Query().Get("embed") == "1" {
			header.Set("Content-Security-Policy", embeddedPolicy)
		}
		// Links to files are relative, so that they work under any prefix that a proxy puts before the path.
		up := strings.Repeat("../", strings.Count(r.URL.Path, "/")-1)
		w.Write(bytes.ReplaceAll(page, []byte("ROOT"), []byte(up)))
	}))
	r.Method(http.MethodGet, "/", index)
	r.Method(http.MethodGet, "/app", index)
	r.Method(http.MethodGet, "/app/*", index)
	assets := wrapper(http.StripPrefix("/app", http.FileServerFS(files)))
	serve := func(w http.ResponseWriter, r *http.Request) {
		if _, err := fs.Stat(files, "assets/"+chi.URLParam(r, "file")); err != nil {
			problem.Write(w, r, errNoFile.Because(err))
			return
		}
		header := w.Header()
		secure(header)
		header.Set("Cache-Control", "public, max-age=31536000, immutable") // the name has a hash of the content
		assets.ServeHTTP(w, r)
	}
	r.Get("/app/assets/{file}", serve)
	r.Get("/app/licences.txt", func(w http.ResponseWriter, r *http.Request) {
		secure(w.Header())
		assets.ServeHTTP(w, r)
	})
}

func secure(header http.Header) {
	header.Set("Content-Security-Policy", policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
}
