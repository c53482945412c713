package validate_test

import (
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
)

// fill returns a body of about size bytes: fragment again and again between before and after, with %d replaced by a number.
func fill(size int, before, fragment, after string) string {
	var body strings.Builder
	body.WriteString(before)
	for i := 0; body.Len()+len(fragment)+len(after)+8 < size; i++ {
		body.WriteString(strings.ReplaceAll(fragment, "%d", strconv.Itoa(i)))
	}
	body.WriteString(after)
	return body.String()
}

// shapes are bodies that cost a careless parser or validator much more than their size. Each names a member or is made of
// members, so that it also fits an operation that has the member.
func shapes(size int, member string) map[string]string {
	long := strings.Repeat("n", 1000)
	return map[string]string{
		"long name over an array":  fill(size, `{"`+long+`":[0`, `,0`, `]}`),
		"huge name over an array":  fill(size, `{"`+strings.Repeat("n", size/2)+`":[0`, `,0`, `]}`),
		"long names, nested":       fill(size, "", `{"`+long+`":`, "0"+strings.Repeat("}", size/(len(long)+5))),
		"unknown members":          fill(size, `{"":0`, `,"%d":0`, `}`),
		"items of a wrong type":    fill(size, `{"`+member+`":[0`, `,0`, `]}`),
		"objects of a wrong type":  fill(size, `{"`+member+`":[{}`, `,{"a":{}}`, `]}`),
		"members of a wrong type":  fill(size, `{"`+member+`":{"":0`, `,"%d":0`, `}}`),
		"NUL in items":             fill(size, `{"`+member+`":["x"`, `,"\u0000"`, `]}`),
		"NUL in names":             fill(size, `{"`+member+`":{"x":0`, `,"%d\u0000":"\u0000"`, `}}`),
		"numbers":                  fill(size, `{"`+member+`":[0`, `,1e5`, `]}`),
		"deep":                     fill(size, `{"`+member+`":[0`, `,`+strings.Repeat("[", 60)+strings.Repeat("]", 60), `]}`),
		"too deep":                 fill(size, `{"`+member+`":[0`, `,[]`, `,`+strings.Repeat("[", 70)),
		"escapes":                  fill(size, `{"`+member+`":"`, `\ud83d\ude00`, `"}`),
		"half an escape at last":   fill(size, `{"`+member+`":"`, `\u0041`, `\ud83d"}`),
		"the last name is a twin":  fill(size, `{"`+member+`":0`, `,"%d":0`, `,"0":0}`),
		"cut off":                  fill(size, `{"`+member+`":[0`, `,"x"`, ``),
		"cut off in a string":      fill(size, `{"`+member+`":["`, `x`, ``),
		"cut off in many strings":  fill(size, `{"`+member+`":[`, `"\"`, ``),
		"text in place of numbers": fill(size, `{"`+member+`":["0"`, `,"0"`, `]}`),
		"a long text":              fill(size, `{"`+member+`":"`, `é`, `"}`),
	}
}

// attack is a body for an operation.
type attack struct{ name, method, target, contentType, body string }

// attacks returns every shape for every operation whose body the edge validates, at the limit of 64 KiB.
func attacks(tb testing.TB) (all []attack) {
	tb.Helper()
	c, err := contract.Load()
	if err != nil {
		tb.Fatal(err)
	}
	for _, o := range c.Operations() {
		if o.HandlerValidates || o.Spec.RequestBody == nil {
			continue
		}
		for contentType, media := range o.Spec.RequestBody.Value.Content {
			for member := range media.Schema.Value.Properties {
				for shape, body := range shapes(contract.DefaultMaxBody, member) {
					all = append(all, attack{
						name:   strings.Join([]string{o.Method, o.Path, member, shape}, " "),
						method: o.Method, target: strings.ReplaceAll(o.Path, "{id}", id), contentType: contentType, body: body,
					})
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b attack) int { return strings.Compare(a.name, b.name) })
	return all
}

// costs returns the bytes that one request allocates.
func (a attack) costs(h http.Handler) (bytes uint64, status int) {
	var before, after runtime.MemStats
	r := httptest.NewRequest(a.method, a.target, strings.NewReader(a.body))
	r.Header.Set("Content-Type", a.contentType)
	w := httptest.NewRecorder()
	runtime.ReadMemStats(&before)
	h.ServeHTTP(w, r)
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc, w.Code
}

// maxFactor bounds what a refused body may allocate, in multiples of its size. A body of tiny values takes some 30 times its
// size when it is parsed into Go values, whether it is refused or not.
const maxFactor = 64

// What a body costs depends on its size, and not on what its sender puts into it. Allocated bytes stand for the cost, because
// they are the same on every machine.
func TestNoBodyCostsMuchMoreThanItsSize(t *testing.T) { //nolint:paralleltest // it measures the whole process
	h := behind(t, accept)
	for _, a := range attacks(t) {
		if bytes, status := a.costs(h); bytes > maxFactor*uint64(len(a.body)) {
			t.Errorf("%s: status %d, %d bytes allocated for a body of %d", a.name, status, bytes, len(a.body))
		}
	}
}

// FuzzCost repeats a fragment to a body of 64 KiB, and bounds what the body costs.
func FuzzCost(f *testing.F) {
	h := behind(f, accept)
	for _, fragment := range []string{`,0`, `"a":`, `[`, `{"a":`, `,"%d":0`, `\u0000`, `\ud83d`, `"`, ` `, `1e9`, `,null`, `{}`, "\\", "\xff", `,{"a":[]}`} {
		f.Add(`{"email":"`, fragment, `"}`)
		f.Add(`{"scopes":[0`, fragment, `]}`)
	}
	f.Fuzz(func(t *testing.T, before, fragment, after string) {
		if len(fragment) == 0 || len(before)+len(after) > 1000 {
			return
		}
		body := fill(contract.DefaultMaxBody, before, fragment, after)
		for _, target := range []string{"/auth/login", "/auth/api-keys", "/products"} {
			a := attack{method: http.MethodPost, target: target, contentType: "application/json", body: body}
			if bytes, status := a.costs(h); bytes > maxFactor*uint64(max(len(body), 8<<10)) {
				t.Errorf("POST %s %q: status %d, %d bytes allocated for %d", target, fragment, status, bytes, len(body))
			}
		}
	})
}

// BenchmarkRefused prints the CPU time of the most expensive body of each operation, per 64 KiB, and with -v which body it is.
func BenchmarkRefused(b *testing.B) {
	h := behind(b, accept)
	groups := map[string][]attack{}
	for _, a := range attacks(b) {
		name := a.method + " " + a.target
		groups[name] = append(groups[name], a)
	}
	for name, group := range groups {
		b.Run(name, func(b *testing.B) {
			fastest := make([]time.Duration, len(group)) // the least disturbed of several runs
			for b.Loop() {
				for i, a := range group {
					begin := cpu(b)
					a.costs(h)
					if took := cpu(b) - begin; fastest[i] == 0 || took < fastest[i] {
						fastest[i] = took
					}
				}
			}
			worst := slices.Max(fastest)
			b.ReportMetric(float64(worst.Microseconds())/1000, "cpu-ms/64KiB")
			b.ReportMetric(0, "ns/op")
			b.Log(group[slices.Index(fastest, worst)].name)
		})
	}
}

// cpu returns the CPU time of the process.
func cpu(tb testing.TB) time.Duration {
	tb.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
