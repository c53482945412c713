package apifuzz

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
)

// parameterKinds change the query and the path.
var parameterKinds = []way{
	{name: "query: unknown", fits: always, change: func(m *maker, r *Request) {
		names := []string{"x", "Limit", "limit[]", "", "a.b", "%", "__proto__"}
		r.rawQuery, r.Refused = url.QueryEscape(names[m.IntN(len(names))])+"=1", m.operation.Service != "operations"
	}},
	{name: "query: twice", fits: hasQuery, change: func(m *maker, r *Request) {
		p := m.queryParameter()
		r.query[p.Name] = m.parameterValue(p)
		r.rawQuery, r.Refused = p.Name+"="+url.QueryEscape(m.parameterValue(p)), true
	}},
	{name: "query: empty", fits: hasQuery, change: func(m *maker, r *Request) { r.query[m.queryParameter().Name] = "" }},
	{name: "query: strange", fits: hasQuery, change: func(m *maker, r *Request) {
		r.query[m.queryParameter().Name] = fmt.Sprint(m.strange(node{}))
	}},
	{name: "query: limit", fits: hasNumber, change: func(m *maker, r *Request) {
		all := slices.DeleteFunc(queryParameters(m.operation), func(p *openapi3.Parameter) bool { return p.Schema.Value.Max == nil })
		p := all[m.IntN(len(all))]
		s := p.Schema.Value
		values := []string{fmt.Sprint(*s.Min - 1), fmt.Sprintf("%.0f", *s.Max+1), "1.5", "1e1", "0x1", " 1", "99999999999999999999", "1_0", "١", ""}
		r.query[p.Name], r.Refused = values[m.IntN(len(values))], true
	}},
	{name: "query: badly encoded", fits: hasQuery, change: func(m *maker, r *Request) {
		values := []string{"%", "%zz", "%e4%", "a;b=1"}
		r.rawQuery, r.Refused = m.queryParameter().Name+"="+values[m.IntN(len(values))], true
		delete(r.query, m.queryParameter().Name)
	}},
	{name: "query: invalid UTF-8", fits: hasQuery, change: func(m *maker, r *Request) {
		p := m.queryParameter()
		delete(r.query, p.Name)
		r.rawQuery, r.Refused = p.Name+"=%ff%fe%00", true
	}},
	{name: "query: long", fits: always, change: func(m *maker, r *Request) {
		r.rawQuery = strings.Repeat("a=1&", 2000) + "b=" + strings.Repeat("x", 2000)
		r.Refused = m.operation.Service != "operations"
	}},
	{name: "path: strange", fits: hasPathParameter, change: func(m *maker, r *Request) {
		r.params[m.pathParameter()] = fmt.Sprint(m.strange(node{}))
	}},
	{name: "path: badly written", fits: isNoPage, change: func(m *maker, r *Request) {
		path := r.Target()
		path, _, _ = strings.Cut(path, "?")
		paths := []string{path + "/", "/" + path, path + "/..", path + "%2f", path + "%00", path + "%ff", strings.ToUpper(path), path + ";a=b", path + "//", "/." + path, path + strings.Repeat("/a", 2000)}
		r.rawPath = paths[m.IntN(len(paths))]
	}},
}

// isNoPage reports whether nothing is below the path of an operation. Pages for people, which gateways route to one service, answer
// the paths below theirs.
func isNoPage(o *contract.Operation) bool { return o.Service != "operations" || o.RoutedTo == "" }

func queryParameters(o *contract.Operation) (all []*openapi3.Parameter) {
	for _, ref := range o.Parameters {
		if ref.Value.In == openapi3.ParameterInQuery {
			all = append(all, ref.Value)
		}
	}
	return all
}

func (m *maker) queryParameter() *openapi3.Parameter {
	all := queryParameters(m.operation)
	return all[m.IntN(len(all))]
}

func (m *maker) pathParameter() string {
	var all []string
	for _, ref := range m.operation.Parameters {
		if ref.Value.In == openapi3.ParameterInPath {
			all = append(all, ref.Value.Name)
		}
	}
	return all[m.IntN(len(all))]
}

func hasQuery(o *contract.Operation) bool { return len(queryParameters(o)) > 0 }

func hasNumber(o *contract.Operation) bool {
	return slices.ContainsFunc(queryParameters(o), func(p *openapi3.Parameter) bool { return p.Schema.Value.Max != nil })
}

func hasPathParameter(o *contract.Operation) bool {
	return slices.ContainsFunc(o.Parameters, func(ref *openapi3.ParameterRef) bool { return ref.Value.In == openapi3.ParameterInPath })
}
