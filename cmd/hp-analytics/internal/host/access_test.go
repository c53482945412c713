package host_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/host"
	"github.com/hp-analytics/hp-analytics/internal/openapi/openapitest"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/auth/accounts"
)

func TestMain(m *testing.M) { platformtest.Main(m, dbtest.Stop, redistest.Stop) }

var update = flag.Bool("update", false, "write the access matrix to docs/security.md instead of comparing it")

// caller is a kind of caller: a column of the access matrix.
type caller struct {
	name          string
	authorization string // header; empty for none
	id            string // of the user where the path names the caller; empty for that of another user
}

// TestAccessMatrix calls every operation of openapi.yaml as every kind of caller, through the gateway with all services
// behind it, and compares the answers with the matrix in docs/security.md.
func TestAccessMatrix(t *testing.T) {
	t.Parallel()
	p := startPlatform(t)
	callers := p.callers()
	var table strings.Builder
	table.WriteString("| operation |")
	for _, c := range callers {
		table.WriteString(" " + c.name + " |")
	}
	table.WriteString("\n|---|" + strings.Repeat("---|", len(callers)) + "\n")
	for _, request := range openapitest.Requests(t) {
		fmt.Fprintf(&table, "| `%s %s` |", request.Method, request.Path)
		for _, c := range callers {
			fmt.Fprintf(&table, " %s |", p.verdict(request, c))
		}
		table.WriteString("\n")
	}
	compareRegion(t, "../../../../docs/security.md", table.String())
}

// compareRegion compares the lines between the markers of the access matrix with want, or writes them with -update.
func compareRegion(t *testing.T, path, want string) {
	t.Helper()
	const begin, end = "<!-- access matrix: begin (go test ./cmd/hp-analytics/internal/host -run TestAccessMatrix -update) -->\n", "<!-- access matrix: end -->\n"
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, foundBegin := strings.Cut(string(content), begin)
	got, after, foundEnd := strings.Cut(rest, end)
	if !foundBegin || !foundEnd {
		t.Fatalf("%s has no region between %q and %q", path, begin, end)
	}
	if *update {
		if err := os.WriteFile(path, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(strings.Split(got, "\n"), strings.Split(want, "\n")); diff != "" {
		t.Errorf("access differs from %s (-documented +answered):\n%s", path, diff)
	}
}

// platform is all services behind the built-in gateway.
type platform struct {
	t        *testing.T
	url      string
	client   *http.Client
	database *dbtest.Database
}

func startPlatform(t *testing.T) *platform {
	t.Helper()
	return startPlatformOn(t, string(redistest.New(t).URL))
}

// startPlatformOn starts a platform with the Redis at a URL, and with additional settings.
func startPlatformOn(t *testing.T, redis string, environ ...string) *platform {
	t.Helper()
	database := dbtest.New(t)
	listener := listen(t, "127.0.0.1:0")
	t.Cleanup(serveOn(t, listener, database, redis, environ...))
	client := &http.Client{Transport: openapitest.New(t).Transport(&http.Transport{})}
	t.Cleanup(client.CloseIdleConnections)
	return &platform{t: t, url: "http://" + listener.Addr().String(), client: client, database: database}
}

func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// serveOn runs all services behind one listener until stop is called.
func serveOn(t *testing.T, listener net.Listener, database *dbtest.Database, redis string, environ ...string) (stop func()) {
	t.Helper()
	base := "http://" + listener.Addr().String()
	names, err := host.Parse(host.All)
	if err != nil {
		t.Fatal(err)
	}
	ready, stopped := make(chan struct{}), make(chan error, 1)
	options := host.Options{
		Targets: names, Listener: listener, Logger: platformtest.Logger(t), Ready: func() { close(ready) },
		Environ: append([]string{
			"DATABASE_URL=" + database.URL(), "REDIS_URL=" + redis, "JWKS_URL=" + base + "/auth/.well-known/jwks.json",
			"SHUTDOWN_DRAIN_DELAY=0s", "HTTP_ACCESS_LOG=none", "REGISTRATION=open", "REGISTER_LIMIT_REFUSED=1000",
			"LOGIN_LIMIT_ACCOUNT=1000", "LOGIN_LIMIT_ADDRESS=1000", "REGISTER_LIMIT_ADDRESS=1000",
		}, environ...),
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	go func() { stopped <- host.Run(ctx, options) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-stopped; err != nil {
			t.Errorf("the platform stopped with %v", err)
		}
	})
	select {
	case <-ready:
	case err := <-stopped:
		stopped <- err
		t.Fatalf("the platform did not start: %v", err)
	case <-time.After(30 * time.Second):
		stop()
		t.Fatal("the platform is not ready after 30 s")
	}
	return stop
}

const password = "correct horse battery"

// callers makes one caller of each kind.
func (p *platform) callers() []caller {
	p.t.Helper()
	pool := p.database.Pool("hp_auth")
	logins := map[authn.Role]string{}
	for _, role := range []authn.Role{authn.User, authn.Viewer, authn.Analyst, authn.Owner, authn.Admin} {
		email := string(role) + "@example.com"
		if err := accounts.Put(p.t.Context(), pool, email, password, role); err != nil {
			p.t.Fatal(err)
		}
		answer := p.send(http.MethodPost, "/auth/login", "", fmt.Sprintf(`{"email":%q,"password":%q}`, email, password))
		logins[role] = "Bearer " + answer["access_token"].(string)
	}
	admin := logins[authn.Admin]
	key := func(scopes string) (id, authorization string) {
		answer := p.send(http.MethodPost, "/auth/api-keys", admin, `{"name":"test","scopes":[`+scopes+`]}`)
		return answer["id"].(string), "Bearer " + answer["key"].(string)
	}
	_, ingest := key(`"ingest"`)
	_, read := key(`"read"`)
	_, root := key(`"admin"`)
	_, both := key(`"ingest","read"`)
	public := p.send(http.MethodPost, "/auth/api-keys", admin, `{"name":"test","kind":"public","scopes":["ingest"],"public":{"origins":["*"]}}`)
	hook := p.send(http.MethodPost, "/auth/api-keys", admin, `{"name":"test","kind":"shopify","scopes":["ingest"],"signing_secret":"shpss_0123456789"}`)
	revokedID, revoked := key(`"ingest","read","admin"`)
	p.send(http.MethodDelete, "/auth/api-keys/"+revokedID, admin, "")
	expiredID, expired := key(`"ingest","read","admin"`)
	if _, err := pool.Exec(p.t.Context(), `UPDATE auth.api_keys SET expires_at = now() WHERE id = $1`, expiredID); err != nil {
		p.t.Fatal(err)
	}
	link := p.send(http.MethodPost, "/auth/share-links", logins[authn.Analyst], fmt.Sprintf(
		`{"name":"test","report":{"kind":"overview","days":7},"expires_at":%q}`, time.Now().Add(time.Hour).Format(time.RFC3339)))
	link = p.send(http.MethodPost, "/auth/share-links/open", "", fmt.Sprintf(`{"secret":%q}`, link["secret"]))
	self := p.send(http.MethodGet, "/auth/me", logins[authn.User], "")["id"].(string)
	return []caller{
		{name: "nobody"},
		{name: "user", authorization: logins[authn.User]},
		{name: "user itself", authorization: logins[authn.User], id: self},
		{name: "viewer", authorization: logins[authn.Viewer]},
		{name: "analyst", authorization: logins[authn.Analyst]},
		{name: "owner", authorization: logins[authn.Owner]},
		{name: "admin", authorization: admin},
		{name: "key `ingest`", authorization: ingest},
		{name: "key `read`", authorization: read},
		{name: "key `admin`", authorization: root},
		{name: "key `ingest`, `read`", authorization: both},
		{name: "public key", authorization: "Bearer " + public["key"].(string)},
		{name: "webhook", authorization: "Bearer " + hook["key"].(string)},
		{name: "share link", authorization: "Bearer " + link["key"].(string)},
		{name: "revoked key", authorization: revoked},
		{name: "expired key", authorization: expired},
		{name: "expired token", authorization: "Bearer " + p.expired(), id: self},
		{name: "malformed", authorization: "Bearer no-token"},
	}
}

// expired returns an admin's token that was good until a minute ago, signed with the key of the platform.
func (p *platform) expired() string {
	p.t.Helper()
	var kid string
	var seed []byte
	err := p.database.Pool("hp_auth").QueryRow(p.t.Context(), `SELECT kid, private_key FROM auth.signing_keys LIMIT 1`).Scan(&kid, &seed)
	if err != nil {
		p.t.Fatal(err)
	}
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, authn.Claims{Role: authn.Admin, RegisteredClaims: jwt.RegisteredClaims{
		Issuer: authn.Issuer, Audience: jwt.ClaimStrings{authn.Audience}, Subject: uuid.NewString(),
		ExpiresAt: jwt.NewNumericDate(time.Now().Add(-time.Minute)),
	}})
	token.Header["kid"] = kid
	signed, err := token.SignedString(ed25519.NewKeyFromSeed(seed))
	if err != nil {
		p.t.Fatal(err)
	}
	return signed
}

// verdict calls an operation and returns what the edge decides: "yes", "401" or "403". A 401 of the handler itself, as for
// a wrong password, is a yes.
func (p *platform) verdict(request openapitest.Request, c caller) string {
	p.t.Helper()
	if request.Self != "" && c.id != "" {
		request.Params = maps.Clone(request.Params)
		request.Params[request.Self] = c.id
	}
	status, body := p.do(request.Method, request.Target(), c.authorization, request.MediaType, request.Body)
	var problem struct{ Code string }
	_ = json.Unmarshal(body, &problem) // not every answer is JSON
	switch problem.Code {
	case "credentials_required", "invalid_authorization", "invalid_token", "token_expired", "invalid_api_key", "api_key_expired", "forbidden", "project_forbidden":
		return strconv.Itoa(status)
	case "no_such_path", "method_not_allowed", "rate_limited":
		p.t.Errorf("%s by %s does not reach its handler: %s", request.Operation, c.name, body)
	}
	if status >= http.StatusInternalServerError {
		p.t.Errorf("%s by %s: %d %s", request.Operation, c.name, status, body)
	}
	return "yes"
}

// send makes a request that must succeed and returns its answer.
func (p *platform) send(method, path, authorization, body string) map[string]any {
	p.t.Helper()
	status, content := p.do(method, path, authorization, "application/json", body)
	if status >= http.StatusBadRequest {
		p.t.Fatalf("%s %s: %d %s", method, path, status, content)
	}
	var answer map[string]any
	if len(content) > 0 {
		if err := json.Unmarshal(content, &answer); err != nil {
			p.t.Fatal(err)
		}
	}
	return answer
}

func (p *platform) do(method, path, authorization, mediaType, body string) (int, []byte) {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), method, p.url+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	if mediaType != "" {
		request.Header.Set("Content-Type", mediaType)
	}
	response, err := p.client.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	var content []byte
	if response.Header.Get("Content-Type") != "text/event-stream" { // such an answer does not end
		if content, err = io.ReadAll(response.Body); err != nil {
			p.t.Fatal(err)
		}
	}
	if err := response.Body.Close(); err != nil {
		p.t.Fatal(err)
	}
	return response.StatusCode, content
}
