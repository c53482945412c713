package main

import (
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/openapi/apifuzz"
	"github.com/hp-analytics/hp-analytics/internal/openapi/openapitest"
)

const problemType = "application/problem+json"

func newJudge(t *testing.T) judge {
	t.Helper()
	rules, err := openapitest.LoadRules()
	if err != nil {
		t.Fatal(err)
	}
	return judge{rules}
}

func request(t *testing.T, operation, kind string) *apifuzz.Request {
	t.Helper()
	f, err := apifuzz.New(&apifuzz.Pool{})
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	if kind == validKind {
		return f.Valid(operation, random)
	}
	return f.Broken(operation, kind, random)
}

func TestJudge(t *testing.T) {
	t.Parallel()
	j := newJudge(t)
	const good = `{"type":"https://hp-analytics.dev/problems/forbidden","title":"Forbidden","status":403,"code":"forbidden","detail":"You may not."}`
	for _, tc := range []struct {
		name, operation, kind string
		status                int
		media, body           string
		want                  string // a part of a problem; empty for none
	}{
		{"as documented", "getHealth", validKind, 200, "application/json", `{"status":"ok"}`, ""},
		{"undocumented status", "getHealth", validKind, 204, "", "", "has no status 204"},
		{"failure", "getMe", validKind, 500, problemType, strings.NewReplacer("403", "500", "Forbidden", "Internal Server Error").Replace(good), "the platform failed"},
		{"refused as documented", "getMe", validKind, 403, problemType, good, ""},
		{"wrong status in the document", "getMe", validKind, 403, problemType, strings.Replace(good, "403", "404", 1), "do not belong together"},
		{"no sentence", "getMe", validKind, 403, problemType, strings.Replace(good, "You may not.", "nope", 1), "detail is no sentence"},
		{"SQL", "getMe", validKind, 403, problemType, strings.Replace(good, "You may not", "ERROR (SQLSTATE 23505)", 1), "shows internals"},
		{"a file", "getMe", validKind, 403, problemType, strings.Replace(good, "You may not", "open /usr/lib/x", 1), "shows internals"},
		{"a secret", "getMe", validKind, 403, problemType, strings.Replace(good, "You may not", apifuzz.Passwords[0], 1), "repeats a secret"},
		{"accepted without credentials", "getMe", "caller: nobody", 200, "application/json", "{}", "accepts what the contract refuses"},
		{"no HTTP, refused", "getMe", "wire: no host", 400, "text/plain", "400 Bad Request", ""},
		{"no HTTP, answered", "getMe", "wire: no host", 200, "application/json", "{}", "no HTTP"},
		{"a batch with a refused item", "createEventsBulk", "text: duplicate member", 202, "application/json", `{"accepted":0,"duplicates":0,"rejected":1,"errors":[{"index":0}]}`, ""},
		{"an event with a repaired text", "createEvent", "text: duplicate member", 202, "application/json", `{"warnings":[{"code":"characters_replaced"}]}`, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			response := &http.Response{StatusCode: tc.status, Header: http.Header{"Content-Type": {tc.media}}}
			problems := strings.Join(j.problems(request(t, tc.operation, tc.kind), response, []byte(tc.body)), "; ")
			if tc.name == "a batch with a refused item" || tc.name == "an event with a repaired text" {
				if strings.Contains(problems, "accepts what") {
					t.Error(problems)
				}
				return
			}
			if tc.want == "" && problems != "" || !strings.Contains(problems, tc.want) {
				t.Errorf("got %q, want %q", problems, tc.want)
			}
		})
	}
}

// TestConnection checks that an answer is read although the server does not read the request to its end, and that a connection is used again.
func TestConnection(t *testing.T) {
	t.Parallel()
	addresses := map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		addresses[r.RemoteAddr] = true
		if r.ContentLength > 1<<20 {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, "ok")
	}))
	defer server.Close()
	c := &connection{address: strings.TrimPrefix(server.URL, "http://")}
	defer c.close()
	for range 2 {
		response, body, err := c.do(t.Context(), request(t, "login", validKind), "")
		if err != nil || response.StatusCode != 200 || string(body) != "ok" {
			t.Fatalf("%v, %q, %v", response, body, err)
		}
	}
	if len(addresses) != 1 {
		t.Errorf("%d connections for two requests", len(addresses))
	}
	response, _, err := c.do(t.Context(), request(t, "login", "size: announced"), "")
	if err != nil || response.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("%v, %v", response, err)
	}
}

// TestCosts checks that a refusal that costs too much in every batch is found, and that what large bodies cost is taken into account.
func TestCosts(t *testing.T) {
	t.Parallel()
	const n = minRequests
	tally := newTally()
	tally.spent("getMe", "auth", validKind, true, cost{cpu: n * 100 * time.Microsecond, requests: n})
	tally.spent("getMe", "auth", "query: long", false, cost{cpu: n * maxRatio * 99 * time.Microsecond, requests: n})
	tally.spent("getMe", "auth", "query: strange", false, cost{cpu: n * (maxRatio + 1) * 100 * time.Microsecond, requests: n})
	tally.spent("getMe", "auth", "query: twice", false, cost{cpu: time.Second, requests: 1}) // one says nothing
	tally.spent("getMe", "auth", "query: empty", false, cost{cpu: time.Minute, requests: n}) // other work of the service was measured with it
	tally.spent("getMe", "auth", "query: empty", false, cost{cpu: n * 100 * time.Microsecond, requests: n})
	tally.spent("createEventsBulk", "auth", "size: over the limit", false, cost{cpu: n * 20 * time.Millisecond, requests: n, bytes: n << 20})
	tally.checkCosts()
	if len(tally.findings) != 1 || !strings.Contains(tally.findings[0], `"query: strange"`) {
		t.Errorf("%q", tally.findings)
	}
}

// TestNeverAccepted checks that an operation of which every one of many requests is refused is found.
func TestNeverAccepted(t *testing.T) {
	t.Parallel()
	tally := newTally()
	for range minValid {
		tally.answered("listUsers", "auth", validKind, 403)
	}
	tally.answered("listMembers", "auth", validKind, 403) // once says nothing
	tally.answered("getMe", "auth", validKind, 200)
	var out strings.Builder
	if err := report(&out, tally); err == nil || len(tally.findings) != 1 || !strings.Contains(out.String(), "WRONG: listUsers") {
		t.Errorf("%v: %s", err, &out)
	}
}
