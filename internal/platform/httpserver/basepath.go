package httpserver

import (
	"cmp"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// sanePrefix matches the prefixes of public paths: no dot segments, no //, nothing to escape.
var sanePrefix = regexp.MustCompile(`^(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+$`)

// published returns next as the public reaches it under a prefix. Base is a prefix that requests still have: it is removed, and
// a request without it, such as a probe or a call inside the cluster, is served as well. A trusted proxy that has removed a
// prefix itself names it in X-Forwarded-Prefix. Location headers get both.
func published(next http.Handler, base string, trustProxy bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		prefix := base
		if removed := r.Header.Get("X-Forwarded-Prefix"); trustProxy && sanePrefix.MatchString(removed) {
			prefix = removed + base
		}
		if prefix != "" {
			w = &prefixedWriter{ResponseWriter: w, prefix: prefix}
		}
		next.ServeHTTP(w, without(r, base))
	})
}

// without returns the request with base removed from its path, or r itself if the path is not under base.
func without(r *http.Request, base string) *http.Request {
	rest, found := strings.CutPrefix(r.URL.Path, base)
	if base == "" || !found || rest != "" && rest[0] != '/' {
		return r
	}
	stripped, target := *r, *r.URL
	target.Path = cmp.Or(rest, "/")
	if raw, encoded := strings.CutPrefix(target.RawPath, base); encoded {
		target.RawPath = cmp.Or(raw, "/")
	} else {
		target.RawPath = (&url.URL{Path: target.Path}).EscapedPath()
	}
	stripped.URL = &target
	return &stripped
}

// prefixedWriter puts the public prefix before the paths in Location.
type prefixedWriter struct {
	http.ResponseWriter
	prefix string
}

// WriteHeader implements http.ResponseWriter.
func (w *prefixedWriter) WriteHeader(status int) {
	if location := w.Header().Get("Location"); strings.HasPrefix(location, "/") && !strings.HasPrefix(location, "//") {
		w.Header().Set("Location", w.prefix+location)
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap gives http.ResponseController access to the underlying writer.
func (w *prefixedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
