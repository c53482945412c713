// Package tracker serves the script that pages load to be counted: /hp.js, the newest one, and below /app/assets each one that was
// released, by a name with a hash of its content, for pages that pin it. build/tracker bundles it from src, with the packages for npm.
package tracker

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"io/fs"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/klauspost/compress/gzhttp"
)

//go:generate go run ../build/tracker .

//go:embed dist
var dist embed.FS

// newest is the script that pages load which pin none. Browsers ask for it again after an hour.
const newest = "hp.js"

// Mount serves the scripts on r.
func Mount(r chi.Router) {
	wrapper, err := gzhttp.NewWrapper()
	if err != nil {
		panic(err) // there are no options
	}
	scripts, err := fs.ReadDir(dist, "dist")
	if err != nil {
		panic(err) // it is embedded
	}
	for _, script := range scripts {
		content, err := fs.ReadFile(dist, "dist/"+script.Name())
		if err != nil {
			panic(err) // it is embedded
		}
		path, cache := "/app/assets/"+script.Name(), "public, max-age=31536000, immutable"
		if script.Name() == newest {
			path, cache = "/"+newest, "public, max-age=3600"
		}
		r.Method(http.MethodGet, path, wrapper(serve(content, cache)))
	}
}

// serve answers with a script that pages of every origin may load, with and without the attribute crossorigin, which a pinned script needs.
func serve(content []byte, cache string) http.Handler {
	sum := sha256.Sum256(content)
	etag := `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Type", "text/javascript; charset=utf-8")
		header.Set("Cache-Control", cache)
		header.Set("ETag", etag)
		header.Set("Access-Control-Allow-Origin", "*")
		header.Set("Cross-Origin-Resource-Policy", "cross-origin")
		header.Set("X-Content-Type-Options", "nosniff")
		// Only If-None-Match is part of the contract: other conditions and ranges would be answered with a 412 or 416 in plain text.
		for _, name := range []string{"Range", "If-Match", "If-Unmodified-Since"} {
			r.Header.Del(name)
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	})
}
