package apifuzz

import (
	"fmt"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
)

// headerKinds change who calls, the other fields of the header, and the method.
var headerKinds = []way{
	{name: "caller: nobody", fits: needsCaller, change: func(_ *maker, r *Request) { r.Caller, r.Refused = Nobody, true }},
	{name: "caller: not valid", fits: seesCaller, change: func(m *maker, r *Request) {
		r.Caller, r.Refused = []string{Expired, Revoked, Forged}[m.IntN(3)], true
	}},
	{name: "caller: nonsense", fits: seesCaller, change: func(m *maker, r *Request) {
		values := []string{"Bearer", "Bearer ", "Bearer x", "Basic YTpi", "bearer hpa_", "Bearer hpa_" + strings.Repeat("A", 40), "Bearer a.b.c",
			"Bearer " + strings.Repeat("e", 8000), "Bearer eyJhbGciOiJub25lIn0.e30.", "\x7f", "Bearer \xff\xfe"}
		r.Caller, r.Refused = Nobody, true
		r.set("Authorization", values[m.IntN(len(values))])
	}},
	{name: "caller: twice", fits: seesCaller, change: func(_ *maker, r *Request) {
		r.Header = append(r.Header, Field{"Authorization", "Bearer x"})
	}},
	{name: "caller: of another project", fits: findsByID, change: func(m *maker, r *Request) {
		// It has all scopes, and what it names belongs to the default project.
		for name := range r.params {
			if id, ok := m.pool.pick(m.Rand, r.path, name); ok {
				r.params[name] = id
			}
		}
		r.Caller, r.Refused = Foreigner, true
	}},
	{name: "caller: without the right", fits: needsCaller, change: func(m *maker, r *Request) {
		if denied := deniedTo(m.operation); len(denied) > 0 {
			r.Caller, r.Refused = denied[m.IntN(len(denied))], true
		}
	}},
	{name: "project: of nobody", fits: hasProjectHeader, change: func(m *maker, r *Request) {
		names := []string{"no-such-project", "DEFAULT", "", " ", "default,default", "../default", strings.Repeat("p", 200), "\xff", "other-of-fuzz"}
		r.Caller, r.Refused = Guest, true
		r.set(contract.ProjectHeader, names[m.IntN(len(names))])
	}},
	{name: "project: twice", fits: hasProjectHeader, change: func(_ *maker, r *Request) {
		r.set(contract.ProjectHeader, "default")
		r.Header, r.Refused = append(r.Header, Field{contract.ProjectHeader, "default"}), true
	}},
	{name: "header: accept", fits: always, change: func(m *maker, r *Request) {
		values := []string{"application/x-unknown", "text/csv", "application/x-ndjson", "*/*;q=0", "", ",", ";;;", "a/b;q=x", "image/png, */*;q=0.1",
			strings.Repeat("a/b,", 1500), "\xff", "application/json;q=0, text/*", "application/problem+json"}
		r.set("Accept", values[m.IntN(len(values))])
	}},
	{name: "header: conditions", fits: always, change: func(m *maker, r *Request) {
		names := []string{"If-Match", "If-None-Match", "If-Modified-Since", "Range", "If-Range", "Idempotency-Key", "Import", "X-Request-Id", "Traceparent", "Accept-Encoding", "Cookie", "X-Forwarded-For", "X-Http-Method-Override"}
		values := []string{"", "*", `"1"`, `W/"1"`, `"`, "bytes=0-1", "bytes=9-1,-", "\xff", strings.Repeat("v", 5000), "a, b", "00-0-0-0", "Thu, 01 Jan 1970 00:00:00 GMT", "DELETE", "gzip;q=0"}
		r.set(names[m.IntN(len(names))], values[m.IntN(len(values))])
	}},
	{name: "header: many", fits: always, change: func(_ *maker, r *Request) {
		for i := range 300 {
			r.Header = append(r.Header, Field{fmt.Sprintf("X-Many-%d", i), "v"})
		}
	}},
	{name: "method: another", fits: always, change: func(m *maker, r *Request) {
		methods := []string{"PUT", "POST", "DELETE", "PATCH", "GET", "OPTIONS", "TRACE", "HEAD", "FOO", "get"}
		r.Method = methods[m.IntN(len(methods))]
	}},
}

func needsCaller(o *contract.Operation) bool { return !o.Access.Public && !o.Access.Unauthenticated }

func seesCaller(o *contract.Operation) bool { return !o.Access.Unauthenticated }

func hasProjectHeader(o *contract.Operation) bool { return o.InProject && !o.ProjectInPath }

// findsByID reports whether an operation acts on something of a project that has a UUID.
func findsByID(o *contract.Operation) bool {
	return hasProjectHeader(o) && needsCaller(o) && slices.ContainsFunc(o.Parameters, func(ref *openapi3.ParameterRef) bool {
		return ref.Value.In == openapi3.ParameterInPath && ref.Value.Schema.Value.Format == "uuid"
	})
}

// deniedTo returns callers who may not call an operation whatever they ask for.
func deniedTo(o *contract.Operation) (all []string) {
	if len(o.Access.Scopes) == 0 {
		all = append(all, AdminKey, ReadKey)
	}
	if len(o.Access.Scopes) > 0 && !slices.Contains(o.Access.Scopes, "ingest") {
		all = append(all, IngestKey)
	}
	if len(o.Access.Scopes) > 0 && !slices.Contains(o.Access.Scopes, "read") {
		all = append(all, ReadKey)
	}
	if !slices.Contains(o.Access.Roles, "user") && o.Access.Self == "" {
		all = append(all, Guest)
	}
	return all
}
