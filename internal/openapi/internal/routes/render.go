package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
)

const (
	begin = "generated from openapi.yaml (%s): begin"
	end   = "generated from openapi.yaml (%s): end"
)

// files are the generated files and how each follows from its present text and the routes.
var files = map[string]func(old string, t *table) (string, error){
	"cmd/hp-analytics/internal/host/routes.gen.go": func(_ string, t *table) (string, error) { return goSource(t), nil },
	"charts/hp-analytics/templates/_routes.tpl":    func(_ string, t *table) (string, error) { return chartTemplate(t), nil },
	"charts/hp-analytics/files/nginx/server.conf":  region("routes", nginx),
	"charts/hp-analytics/tests/routes_test.yaml":   regions(region("ingress", ingressTest), region("httproute", httpRouteTest)),
	"docs/kubernetes.md":                           region("routes", sentence),
}

// region returns what replaces the lines between the markers of a region.
func region(name string, render func(t *table) string) func(string, *table) (string, error) {
	return func(old string, t *table) (string, error) {
		before, rest, found := strings.Cut(old, fmt.Sprintf(begin, name))
		if !found {
			return "", fmt.Errorf("has no line %q", fmt.Sprintf(begin, name))
		}
		first, rest, _ := strings.Cut(rest, "\n")
		body, after, found := strings.Cut(rest, fmt.Sprintf(end, name))
		if !found {
			return "", fmt.Errorf("has no line %q", fmt.Sprintf(end, name))
		}
		last := body[strings.LastIndex(body, "\n")+1:] // what begins the comment of the end marker
		return before + fmt.Sprintf(begin, name) + first + "\n" + render(t) + last + fmt.Sprintf(end, name) + after, nil
	}
}

func regions(changes ...func(string, *table) (string, error)) func(string, *table) (string, error) {
	return func(text string, t *table) (_ string, err error) {
		for _, change := range changes {
			if text, err = change(text, t); err != nil {
				return "", err
			}
		}
		return text, nil
	}
}

func goSource(t *table) string {
	var b strings.Builder
	b.WriteString("// Code generated from openapi.yaml by internal/openapi/internal/routes. DO NOT EDIT.\n\npackage host\n\n" +
		"// segments are the first path segments that each service answers.\nvar segments = map[string][]string{\n")
	width := 0
	for _, service := range t.services {
		width = max(width, len(service))
	}
	for _, service := range t.services {
		var quoted []string
		for _, r := range t.of(service) {
			quoted = append(quoted, fmt.Sprintf("%q", r.segment))
		}
		fmt.Fprintf(&b, "\t%q:%s {%s},\n", service, strings.Repeat(" ", width-len(service)), strings.Join(quoted, ", "))
	}
	b.WriteString("}\n")
	return b.String()
}

// kind returns exact for a route of a file, and else prefix.
func kind(r route, exact, prefix string) string {
	if r.file {
		return exact
	}
	return prefix
}

func chartTemplate(t *table) string {
	var b strings.Builder
	b.WriteString(`{{/*
Generated from openapi.yaml by "make generate".
Which path leads to which service, for Ingress and HTTPRoute. No path begins another, so their order does not matter, and
controllers that compare prefixes as text route in the same way. There is no route to /metrics.
*/}}
{{- define "hp-analytics.routes" -}}
`)
	for _, r := range t.routes {
		fmt.Fprintf(&b, "- {path: /%s, type: %s, service: %s}\n", r.segment, kind(r, "Exact", "Prefix"), r.service)
	}
	b.WriteString("{{- end -}}\n")
	return b.String()
}

func ingressTest(t *table) string {
	var b strings.Builder
	for _, r := range t.routes {
		fmt.Fprintf(&b, "            - {path: /%s, pathType: %s, backend: {service: {name: hp-analytics-%s, port: {name: http}}}}\n",
			r.segment, kind(r, "Exact", "Prefix"), r.service)
	}
	return b.String()
}

// mostMatches is how many matches a rule of an HTTPRoute has at most, in the first versions of the Gateway API
// (HTTPRouteRule.matches; later ones take 64). A route has at most 16 rules, so those of a service share some.
const mostMatches = 8

func httpRouteTest(t *table) string {
	var services []string
	matches := map[string][]string{}
	for _, r := range t.routes {
		if matches[r.service] == nil {
			services = append(services, r.service)
		}
		matches[r.service] = append(matches[r.service], fmt.Sprintf("{path: {type: %s, value: /%s}}", kind(r, "Exact", "PathPrefix"), r.segment))
	}
	var b strings.Builder
	rules := 0
	for _, service := range services {
		for some := range slices.Chunk(matches[service], mostMatches) {
			fmt.Fprintf(&b, "      - equal: {path: 'spec.rules[%d].matches', value: [%s]}\n", rules, strings.Join(some, ", "))
			fmt.Fprintf(&b, "      - equal: {path: 'spec.rules[%d].backendRefs', value: [{name: hp-analytics-%s, port: 8080}]}\n", rules, service)
			rules++
		}
	}
	return fmt.Sprintf("      - lengthEqual: {path: spec.rules, count: %d}\n", rules) + b.String()
}

func sentence(t *table) string {
	var paths []string
	for _, r := range t.routes {
		paths = append(paths, "`/"+r.segment+"`")
	}
	return "Choose one of these. The paths are the same for all (" + strings.Join(paths, ", ") + ").\n"
}

// nginx returns the locations of the services. Of the locations whose expression matches, nginx takes the first.
func nginx(t *table) string {
	var b strings.Builder
	preflights(&b, t.shared)
	for _, r := range t.routes {
		if len(r.passwords) > 0 {
			fmt.Fprintf(&b, `# Operations that need a password have a limit of their own against guessing, beside the limits of the service.
location ~ ^%s$ {
    limit_req  zone=logins burst=20 nodelay;
    proxy_pass http://%s;
}
`, alternatives(r.passwords), r.service)
		}
	}
	for _, service := range t.services {
		var maxBody int64
		var segments []string
		for _, r := range t.of(service) {
			maxBody = max(maxBody, r.maxBody)
			segments = append(segments, r.segment)
		}
		location(&b, "^/"+alternatives(segments)+"(?:/|$)", service, maxBody)
	}
	for _, r := range t.routes {
		if r.documentation {
			location(&b, "^/"+regexp.QuoteMeta(r.segment)+kind(r, "$", "(?:/|$)"), r.service, 0)
		}
	}
	return b.String()
}

// parameter is a path parameter in an expression.
var parameter = regexp.MustCompile(`\\\{[a-z_]+\\\}`)

// preflights writes what answers the requests by which browsers ask whether a page of another origin may call: the gateway itself, ahead of
// its limits.
func preflights(b *strings.Builder, paths []string) {
	if len(paths) == 0 {
		return
	}
	var patterns []string
	for _, path := range paths {
		patterns = append(patterns, parameter.ReplaceAllString(regexp.QuoteMeta(path), "[^/]+"))
	}
	fmt.Fprintf(b, `# Pages of other origins may call these.
set $gateway_call "$request_method $uri";
if ($gateway_call ~ "^OPTIONS %[1]s$") {
    rewrite ^ /_gateway/preflight last;
}
# They may read what the gateway refuses, too. This is decided again when nginx redirects to the answer, so it is told by the request line.
set $gateway_asked "$gateway_method $gateway_path";
set $gateway_page  "";
if ($gateway_asked ~ "^(?:GET|POST) %[1]s$") {
    set $gateway_page $http_origin;
}
location = /_gateway/preflight {
    internal;
    access_log off;
    add_header Access-Control-Allow-Origin      $http_origin always;
    add_header Access-Control-Allow-Credentials true always;
    add_header Access-Control-Allow-Methods     "GET, POST" always;
    add_header Access-Control-Allow-Headers     "%[2]s" always;
    add_header Access-Control-Max-Age           %[3]s always;
    add_header Vary                             Origin always;
    add_header X-Request-Id                     $gateway_request_id always;
    add_header X-Content-Type-Options           nosniff always;
    return 204;
}
`, alternatives(patterns), contract.AllowedHeaders, contract.PreflightMaxAge)
}

func alternatives(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	return "(?:" + strings.Join(names, "|") + ")"
}

// location writes a location with a limit for bodies that are larger than the default.
func location(b *strings.Builder, pattern, service string, maxBody int64) {
	fmt.Fprintf(b, "location ~ %s {\n", pattern)
	if maxBody > contract.DefaultMaxBody {
		fmt.Fprintf(b, "    limit_req            zone=per_address burst=400 nodelay;\n    client_max_body_size %s;\n    proxy_pass           http://%s;\n}\n", size(maxBody), service)
		return
	}
	fmt.Fprintf(b, "    limit_req  zone=per_address burst=400 nodelay;\n    proxy_pass http://%s;\n}\n", service)
}

// size returns a number of bytes as nginx writes it.
func size(n int64) string {
	if n%(1<<20) == 0 {
		return fmt.Sprintf("%dm", n>>20)
	}
	return fmt.Sprintf("%dk", (n+1023)>>10)
}
