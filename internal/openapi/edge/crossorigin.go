package edge

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
)

// share lets a page of another origin read the answer, whatever it is: a refusal says what is wrong. Browsers send beacons as if they had
// cookies, so these are allowed, but no operation that pages of other origins may call reads any. The key decides whether the origin may
// send at all.
func share(header http.Header, r *http.Request) {
	header.Set("Cross-Origin-Resource-Policy", "cross-origin")
	header.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if origin == "" {
		return
	}
	header.Set("Access-Control-Allow-Origin", origin)
	header.Set("Access-Control-Allow-Credentials", "true")
	header.Set("Access-Control-Expose-Headers", contract.ExposedHeaders)
}

// shareable is a router that refuses requests before it routes. httpserver.Router is one.
type shareable interface {
	Share(header func(header http.Header, r *http.Request))
}

// shareRefusals lets pages read also what is refused ahead of the operations that they may call.
func shareRefusals(r chi.Router, guarded map[*contract.Operation]*operation) {
	router, ok := r.(shareable)
	if !ok {
		return
	}
	fixed, others := map[string]bool{}, []template{}
	for spec := range guarded {
		if t := templateOf(spec.Path); spec.CrossOrigin && t == nil {
			fixed[spec.Path] = true
		} else if spec.CrossOrigin {
			others = append(others, t)
		}
	}
	router.Share(func(header http.Header, r *http.Request) {
		matches := func(t template) bool { _, ok := t.match(r.URL.Path, ""); return ok }
		if fixed[r.URL.Path] || slices.ContainsFunc(others, matches) {
			share(header, r)
		}
	})
}

// otherOrigin returns the origin of the page that sends a request. It is empty for pages of the platform itself, such as the one that
// documents the API, and for programs that are no browsers.
func otherOrigin(r *http.Request) string {
	origin := r.Header.Get("Origin")
	if _, host, found := strings.Cut(origin, "://"); found && host == r.Host || r.Header.Get("Sec-Fetch-Site") == "same-origin" {
		return ""
	}
	return origin
}

// answerPreflights answers OPTIONS where pages of other origins may call: what they may send is the same for everybody, so this needs no
// credentials, slot or limit.
func answerPreflights(r chi.Router, guarded map[*contract.Operation]*operation) {
	methods := map[string][]string{}
	for spec := range guarded {
		if spec.CrossOrigin {
			methods[spec.Path] = append(methods[spec.Path], spec.Method)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(methods)) {
		allowed := strings.Join(slices.Sorted(slices.Values(methods[path])), ", ")
		r.Options(path, func(w http.ResponseWriter, r *http.Request) {
			header := w.Header()
			share(header, r)
			header.Set("Access-Control-Allow-Methods", allowed)
			header.Set("Access-Control-Allow-Headers", contract.AllowedHeaders)
			header.Set("Access-Control-Max-Age", contract.PreflightMaxAge)
			w.WriteHeader(http.StatusNoContent)
		})
	}
}
