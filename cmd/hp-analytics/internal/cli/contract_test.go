package cli

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/openapi/openapitest"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/protocol/exported"
)

// query reads one value as the owner of a database.
func query(t *testing.T, url, sql string, into any) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if err := conn.QueryRow(t.Context(), sql).Scan(into); err != nil {
		t.Fatal(err)
	}
}

// visitor sends requests, checks the answers against openapi.yaml, and remembers what later requests need.
type visitor struct {
	t      *testing.T
	url    string
	client *http.Client
	token  string
}

// do sends a request and returns a field of the JSON answer.
func (v *visitor) do(status int, method, path, body, field string, headers ...string) string {
	v.t.Helper()
	content := v.send(status, method, path, body, headers...)
	if field == "" {
		return ""
	}
	var answer map[string]any
	if err := json.Unmarshal(content, &answer); err != nil {
		v.t.Fatalf("%s %s answers %q: %v", method, path, content, err)
	}
	value, ok := answer[field].(string)
	if !ok {
		v.t.Fatalf("%s %s answers no %s: %s", method, path, field, content)
	}
	return value
}

// send sends a request and returns the answer.
func (v *visitor) send(status int, method, path, body string, headers ...string) []byte {
	v.t.Helper()
	request, err := http.NewRequestWithContext(v.t.Context(), method, v.url+path, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	if v.token != "" {
		request.Header.Set("Authorization", "Bearer "+v.token)
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Set(name, value)
	}
	response, err := v.client.Do(request)
	if err != nil {
		v.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	if response.StatusCode != status {
		v.t.Fatalf("%s %s: status %d, want %d: %s", method, path, response.StatusCode, status, content)
	}
	return content
}

// exerciseContract sends a request to every operation of openapi.yaml through the gateway.
func exerciseContract(t *testing.T, url, dir string) {
	t.Helper()
	checker := openapitest.New(t)
	v := &visitor{t: t, url: url, client: &http.Client{Transport: checker.Transport(nil)}}
	const get, post, patch, del = http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete

	for _, path := range []string{"/health", "/ready", "/metrics", "/openapi.yaml", "/docs", "/", "/app", "/hp.js", "/auth/.well-known/jwks.json"} {
		v.do(http.StatusOK, get, path, "", "")
	}
	ada := `{"email":"ada@example.com","password":"correct horse battery"}`
	adaID := v.do(http.StatusCreated, post, "/auth/register", ada, "id")
	refresh := v.do(http.StatusOK, post, "/auth/login", ada, "refresh_token")
	refresh = v.do(http.StatusOK, post, "/auth/refresh", `{"refresh_token":"`+refresh+`"}`, "refresh_token")
	v.do(http.StatusNoContent, post, "/auth/logout", `{"refresh_token":"`+refresh+`"}`, "")
	adaToken := v.do(http.StatusOK, post, "/auth/login", ada, "access_token")

	admin, found, err := readLogin(dir)
	if err != nil || !found {
		t.Fatalf("the admin's login: %t, %v", found, err)
	}
	v.token = v.do(http.StatusOK, post, "/auth/login", `{"email":"`+admin.Email+`","password":"`+admin.Password+`"}`, "access_token")
	boss := v.token
	v.do(http.StatusOK, get, "/auth/me", "", "id")
	key := v.do(http.StatusCreated, post, "/auth/api-keys", `{"name":"contract","scopes":["ingest","read"]}`, "key")
	pages := v.do(http.StatusCreated, post, "/auth/api-keys", `{"name":"pages","kind":"public","scopes":["ingest"],"public":{"origins":["*"]}}`, "key")
	shop := v.do(http.StatusCreated, post, "/auth/api-keys", `{"name":"shop","kind":"shopify","scopes":["ingest"],"signing_secret":"shpss_0123456789"}`, "key")
	stripe := v.do(http.StatusCreated, post, "/auth/api-keys", `{"name":"stripe","kind":"stripe","scopes":["ingest"],"signing_secret":"shpss_0123456789"}`, "key")
	hook := v.do(http.StatusCreated, post, "/auth/api-keys", `{"name":"hook","kind":"shopify","scopes":["ingest"]}`, "id")
	v.do(http.StatusNoContent, http.MethodPut, "/auth/api-keys/"+hook+"/signing-secret", `{"secret":"shpss_0123456789"}`, "")
	doomed := v.do(http.StatusCreated, post, "/auth/api-keys", `{"name":"doomed","scopes":["read"]}`, "id")
	v.do(http.StatusOK, get, "/auth/api-keys", "", "")
	v.do(http.StatusOK, del, "/auth/api-keys/"+doomed, "", "")

	v.exerciseAccounts()
	v.exerciseProjects(adaToken, adaID)

	product := `{"sku":"HAT-1","name":"Hat","price_minor":1900,"currency":"EUR"}`
	hat := v.do(http.StatusCreated, post, "/products", product, "id")
	v.do(http.StatusOK, get, "/products/"+hat, "", "id")
	v.do(http.StatusOK, get, "/products?q=hat", "", "")
	v.do(http.StatusOK, patch, "/products/"+hat, `{"category":"hats"}`, "id")
	v.do(http.StatusOK, post, "/products/bulk", `{"products":[{"sku":"CAP-1","name":"Cap","price_minor":900,"currency":"EUR"}]}`, "")

	v.token = key
	v.do(http.StatusAccepted, post, "/events", `{"type":"view","product_id":"`+hat+`","user_id":"bob"}`, "id")
	batch := v.do(http.StatusAccepted, post, "/events/bulk", `{"events":[{"type":"view","sku":"CAP-1","user_id":"bob"}]}`, "batch_id")
	v.do(http.StatusOK, get, "/events/batches/"+batch, "", "state")
	v.do(http.StatusOK, post, "/segment/beacon/v1/batch?writeKey="+pages, `{"batch":[]}`, "")
	v.do(http.StatusOK, get, "/segment/v1/projects/"+pages+"/settings", "", "")
	v.do(http.StatusOK, get, "/segment/sourceConfig/?writeKey="+pages, "", "")
	v.do(http.StatusAccepted, post, "/events/beacon", `{"events":[{"type":"page","anonymous_id":"visitor"}]}`, "", "Authorization: Bearer "+pages)
	v.exerciseHooks(shop, stripe)
	v.do(http.StatusAccepted, post, "/plausible/"+pages+"/api/event", `{"n":"pageview","u":"https://shop.example/"}`, "")
	v.token = key
	v.exerciseOrders()
	v.exerciseReports()
	v.do(http.StatusOK, get, "/analytics/products/top?metric=views", "", "metric")
	v.do(http.StatusOK, get, "/analytics/products/"+hat+"/timeseries", "", "interval")
	v.do(http.StatusOK, get, "/analytics/users/"+adaID+"/summary", "", "user_id")
	v.exerciseSharing(boss, hat)
	v.exerciseAnnotations()
	v.exerciseViews()
	v.exerciseDigests()
	v.exerciseAlerts()
	v.token = adaToken
	v.do(http.StatusOK, get, "/analytics/users/me/summary", "", "user_id")
	v.token = ""
	v.do(http.StatusNotFound, get, "/nowhere", "", "code")
	v.do(http.StatusUnauthorized, del, "/products/"+hat, "", "code")
	v.token = v.do(http.StatusOK, post, "/auth/login", `{"email":"`+admin.Email+`","password":"`+admin.Password+`"}`, "access_token")
	v.do(http.StatusNoContent, del, "/products/"+hat, "", "")
	importer := v.do(http.StatusCreated, post, "/auth/api-keys", `{"name":"importer","scopes":["admin"]}`, "key")
	v.token = importer
	v.exerciseImport()
	v.exerciseErasure()

	for _, tag := range []string{"auth", "catalog", "ingest", "analytics", "operations"} {
		if missing := checker.Missing(tag); len(missing) > 0 {
			t.Errorf("operations of %s that no request has reached: %v", tag, missing)
		}
	}
}

// exerciseSharing shares the overview and the series of a product as an admin, and reads them with the links.
func (v *visitor) exerciseSharing(admin, product string) {
	v.t.Helper()
	const get, post, del = http.MethodGet, http.MethodPost, http.MethodDelete
	const links = "/auth/share-links"
	expires := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	for path, report := range map[string]string{
		"/analytics/shared/overview": `{"kind":"overview","days":7}`,
		"/analytics/shared/product":  `{"kind":"product","product_id":"` + product + `","from":"2026-03-01","to":"2026-03-31","interval":"week"}`,
	} {
		v.token = admin
		secret := v.do(http.StatusCreated, post, links, `{"name":"board","report":`+report+`,"expires_at":"`+expires+`","password":"winter numbers"}`, "secret")
		v.token = ""
		v.do(http.StatusUnauthorized, post, links+"/open", `{"secret":"`+secret+`"}`, "code")
		v.token = v.do(http.StatusOK, post, links+"/open", `{"secret":"`+secret+`","password":"winter numbers"}`, "key")
		v.do(http.StatusOK, get, path, "", "interval")
	}
	v.token = admin
	var list struct{ Items []struct{ ID string } }
	if err := json.Unmarshal(v.send(http.StatusOK, get, links, ""), &list); err != nil || len(list.Items) != 2 {
		v.t.Fatalf("the links are %+v: %v", list, err)
	}
	v.do(http.StatusNoContent, del, links+"/"+list.Items[0].ID, "", "")
}

// exerciseAnnotations notes what happened on a day, as the admin of the platform.
func (v *visitor) exerciseAnnotations() {
	v.t.Helper()
	const get, post, put, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete
	id := v.do(http.StatusCreated, post, "/annotations", `{"day":"2026-03-14","text":"Campaign"}`, "id")
	v.do(http.StatusOK, put, "/annotations/"+id, `{"at":"2026-03-14T09:26:53Z","text":"Campaign"}`, "at")
	v.do(http.StatusOK, get, "/annotations?from=2026-03-14", "", "")
	v.do(http.StatusNoContent, del, "/annotations/"+id, "", "")
}

// exerciseViews saves a state of the dashboard, as the admin of the platform.
func (v *visitor) exerciseViews() {
	v.t.Helper()
	const get, post, put, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete
	id := v.do(http.StatusCreated, post, "/views", `{"name":"Week","address":"/?period=7+days","shared":false}`, "id")
	v.do(http.StatusOK, put, "/views/"+id, `{"name":"Week","address":"/?period=7+days","shared":true}`, "name")
	v.do(http.StatusOK, get, "/views", "", "")
	v.do(http.StatusNoContent, del, "/views/"+id, "", "")
}

// exerciseDigests makes a digest and asks for a test of it, as the admin of the platform.
func (v *visitor) exerciseDigests() {
	v.t.Helper()
	const get, post, put, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete
	var made struct{ Digest struct{ ID string } }
	content := v.send(http.StatusCreated, post, "/digests", `{"name":"Day","every":"day","hour":8,"url":"https://example.com/","enabled":false}`)
	if err := json.Unmarshal(content, &made); err != nil {
		v.t.Fatal(err)
	}
	path := "/digests/" + made.Digest.ID
	v.do(http.StatusOK, put, path, `{"name":"Day","every":"day","hour":9,"url":"http://127.0.0.1:9/","enabled":false}`, "id")
	v.do(http.StatusAccepted, post, path+"/test", "", "state")
	v.do(http.StatusOK, get, "/digests", "", "")
	v.do(http.StatusNoContent, del, path, "", "")
}

// exerciseAlerts makes an alert and asks for a test of it, as the admin of the platform.
func (v *visitor) exerciseAlerts() {
	v.t.Helper()
	const get, post, put, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete
	const content = `{"name":"Few","metric":"orders","every":"day","hour":2,"condition":"below","threshold":5,"notify_recovery":true,"url":"https://example.com/","enabled":false}`
	var made struct{ Alert struct{ ID string } }
	if err := json.Unmarshal(v.send(http.StatusCreated, post, "/alerts", content), &made); err != nil {
		v.t.Fatal(err)
	}
	path := "/alerts/" + made.Alert.ID
	v.do(http.StatusOK, put, path, content, "id")
	v.do(http.StatusAccepted, post, path+"/test", "", "state")
	v.do(http.StatusOK, get, path, "", "id")
	v.do(http.StatusOK, get, path+"/evaluations", "", "")
	v.do(http.StatusOK, get, "/alerts", "", "")
	v.do(http.StatusNoContent, del, path, "", "")
}

// exerciseAccounts calls the operations on accounts as an admin, and as a person who was invited.
func (v *visitor) exerciseAccounts() {
	v.t.Helper()
	const get, post, patch, del = http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete
	const old, next = "correct horse battery", "staple of a better battery"
	admin := v.token
	token := v.do(http.StatusCreated, post, "/auth/invitations", `{"role":"user"}`, "token")
	spare := v.do(http.StatusCreated, post, "/auth/invitations", `{"role":"user","valid_hours":1}`, "id")
	v.do(http.StatusNoContent, del, "/auth/invitations/"+spare, "", "")
	v.do(http.StatusOK, get, "/auth/invitations", "", "")
	v.do(http.StatusOK, get, "/auth/users?email=ada@example.com", "", "")
	v.do(http.StatusOK, get, "/auth/audit?action=invitation.", "", "")
	v.do(http.StatusOK, get, "/system", "", "as_of")

	eve := v.do(http.StatusCreated, post, "/auth/register", `{"email":"eve@example.com","password":"`+old+`","invitation":"`+token+`"}`, "id")
	v.token = v.do(http.StatusOK, post, "/auth/login", `{"email":"eve@example.com","password":"`+old+`"}`, "access_token")
	v.do(http.StatusOK, post, "/auth/password", `{"password":"`+old+`","new_password":"`+next+`"}`, "")
	v.token = v.do(http.StatusOK, post, "/auth/login", `{"email":"eve@example.com","password":"`+next+`"}`, "access_token")
	v.do(http.StatusNoContent, del, "/auth/sessions", "", "")

	v.token = admin
	v.do(http.StatusOK, patch, "/auth/users/"+eve, `{"disabled":true}`, "disabled_at")
	v.do(http.StatusOK, patch, "/auth/users/"+eve, `{"disabled":false}`, "")
	v.do(http.StatusNoContent, del, "/auth/users/"+eve+"/sessions", "", "")
	temporary := v.do(http.StatusOK, post, "/auth/users/"+eve+"/password", "", "password")
	v.do(http.StatusForbidden, post, "/auth/login", `{"email":"eve@example.com","password":"`+temporary+`"}`, "code")
	v.do(http.StatusOK, post, "/auth/login", `{"email":"eve@example.com","password":"`+temporary+`","new_password":"`+old+`"}`, "access_token")
}

// exerciseProjects calls the operations on projects as an admin, and as a person who is invited to one.
func (v *visitor) exerciseProjects(adaToken, adaID string) {
	v.t.Helper()
	const get, post, patch, put, del = http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodPut, http.MethodDelete
	const asia = "/auth/projects/asia"
	admin := v.token
	v.do(http.StatusCreated, post, "/auth/projects", `{"slug":"asia","name":"Asia","time_zone":"Asia/Kolkata","currency":"INR"}`, "slug")
	v.do(http.StatusOK, get, "/auth/projects", "", "")
	v.do(http.StatusOK, get, asia, "", "slug")
	v.do(http.StatusOK, patch, asia, `{"name":"South Asia"}`, "name")
	token := v.do(http.StatusCreated, post, asia+"/invitations", `{"role":"analyst"}`, "token")
	spare := v.do(http.StatusCreated, post, asia+"/invitations", `{"role":"viewer"}`, "id")
	v.do(http.StatusOK, get, asia+"/invitations", "", "")
	v.do(http.StatusOK, get, asia+"/audit", "", "")
	v.do(http.StatusNoContent, del, asia+"/invitations/"+spare, "", "")
	v.token = adaToken
	v.do(http.StatusOK, post, "/auth/invitations/accept", `{"invitation":"`+token+`"}`, "")
	v.token = admin
	v.do(http.StatusOK, get, asia+"/members", "", "")
	v.do(http.StatusOK, put, asia+"/members/"+adaID, `{"role":"viewer"}`, "role")
	v.do(http.StatusNoContent, del, asia+"/members/"+adaID, "", "")
	// As a member of one project the admin need not name it from here on.
	v.do(http.StatusNoContent, del, asia+"/members/"+v.do(http.StatusOK, get, "/auth/me", "", "id"), "", "")
}

// exerciseHooks sends a webhook of a shop, whose key is in the path.
func (v *visitor) exerciseHooks(shopify, stripe string) {
	v.t.Helper()
	v.token = ""
	const body = `{"id":1}`
	mac := hmac.New(sha256.New, []byte("shpss_0123456789"))
	mac.Write([]byte(body))
	v.do(http.StatusOK, http.MethodPost, "/hooks/shopify/"+shopify, body, "result",
		"X-Shopify-Topic: products/update", "X-Shopify-Hmac-Sha256: "+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	stamp := strconv.FormatInt(time.Now().Unix(), 10)
	mac.Reset()
	mac.Write([]byte(stamp + "." + body))
	v.do(http.StatusOK, http.MethodPost, "/hooks/stripe/"+stripe, body, "result", "Stripe-Signature: t="+stamp+",v1="+hex.EncodeToString(mac.Sum(nil)))
}

// exerciseOrders sends purchases, orders and refunds with an API key, and reads them.
func (v *visitor) exerciseOrders() {
	v.t.Helper()
	const get, post = http.MethodGet, http.MethodPost
	v.do(http.StatusCreated, post, "/purchases", `{"sku":"CAP-1","quantity":1,"user_id":"bob"}`, "id", "Idempotency-Key: contract-1")
	v.do(http.StatusAccepted, post, "/purchases/bulk", `{"purchases":[{"id":"p-1","sku":"CAP-1","quantity":1,"user_id":"bob"}]}`, "")
	v.do(http.StatusOK, post, "/otlp/v1/logs", "{}", "")
	v.do(http.StatusAccepted, post, "/cloudevents", "[]", "", "Content-Type: application/cloudevents-batch+json")
	v.do(http.StatusOK, post, "/segment/v1/track", `{"event":"Signed Up","userId":"bob"}`, "")
	for _, path := range []string{"capture/", "capture", "i/v0/e/", "i/v0/e"} {
		v.do(http.StatusOK, post, "/posthog/"+path, `{"event":"Signed Up","distinct_id":"bob"}`, "")
	}
	order := `{"id":"%s","user_id":"bob","currency":"EUR","lines":[{"sku":"CAP-1","quantity":2,"amount_minor":1700},{"sku":"HAT-1","quantity":1}]}`
	v.do(http.StatusCreated, post, "/orders", fmt.Sprintf(order, "o-1"), "number")
	v.do(http.StatusAccepted, post, "/orders/bulk", `{"orders":[`+fmt.Sprintf(order, "o-2")+`]}`, "")
	v.do(http.StatusCreated, post, "/orders/o-1/refunds", `{"id":"r-1","lines":[{"line":1,"quantity":1,"amount_minor":850}]}`, "id")
	loose := `{"id":"%s","user_id":"bob","currency":"EUR","lines":[{"sku":"CAP-1","quantity":1,"amount_minor":850}]}`
	v.do(http.StatusCreated, post, "/refunds", fmt.Sprintf(loose, "r-2"), "id")
	v.do(http.StatusAccepted, post, "/refunds/bulk", `{"refunds":[`+fmt.Sprintf(loose, "r-3")+`]}`, "")
	v.do(http.StatusOK, get, "/orders/o-1", "", "number")
	v.do(http.StatusOK, get, "/events?user_id=bob", "", "")
	v.do(http.StatusOK, get, "/users/bob/events", "", "")
	today := time.Now().UTC().Format(time.DateOnly)
	for _, what := range []string{"events", "orders", "refunds"} {
		v.do(http.StatusOK, get, "/"+what+"/export?day="+today, "", "")
	}
}

// exerciseReports reads the reports that need no more than the name of something.
func (v *visitor) exerciseReports() {
	v.t.Helper()
	for _, path := range []string{
		"/overview", "/events", "/events/timeseries?type=view", "/products/timeseries?sku=CAP-1", "/users/top?metric=purchases",
	} {
		v.do(http.StatusOK, http.MethodGet, "/analytics"+path, "", "")
	}
	v.do(http.StatusOK, http.MethodHead, "/analytics/live", "", "") // a GET does not end
}

// exerciseImport announces an import of history and ends it, with an API key of an owner.
func (v *visitor) exerciseImport() {
	v.t.Helper()
	id := v.do(http.StatusOK, http.MethodPost, "/imports", `{"id":"history","from":"2011-01-01","to":"2011-01-31"}`, "id")
	v.do(http.StatusOK, http.MethodGet, "/imports/"+id, "", "id")
	v.do(http.StatusOK, http.MethodDelete, "/imports/"+id, "", "id")
}

// exerciseErasure exports and forgets a user, with an API key of an owner, and waits until nothing is left: reconcile finds differences before.
func (v *visitor) exerciseErasure() {
	v.t.Helper()
	receipt, err := exported.Verify(bytes.NewReader(v.send(http.StatusOK, http.MethodGet, "/users/bob/export", "")))
	if err != nil {
		v.t.Fatal(err)
	}
	v.do(http.StatusOK, http.MethodGet, "/exports", "", "")
	v.do(http.StatusOK, http.MethodGet, "/exports/"+receipt.ID.String(), "", "finished_at")
	id := v.do(http.StatusAccepted, http.MethodDelete, "/users/bob", "", "id")
	platformtest.Eventually(v.t, time.Minute, "the erasure is done", func() bool {
		return v.do(http.StatusOK, http.MethodGet, "/erasures/"+id, "", "state") == "done"
	})
	v.do(http.StatusOK, http.MethodGet, "/erasures", "", "")
	v.do(http.StatusOK, http.MethodGet, "/rejections", "", "")
}

var tourBlock = regexp.MustCompile("(?s)## A two-minute tour.*?```sh\n(.*?)```\n\nThen, in the same shell:\n\n```sh\n(.*?)```")

// takeTour runs the blocks of the README's tour in one shell, and its import twice.
func takeTour(t *testing.T, url, dir string) {
	t.Helper()
	readme, err := os.ReadFile("../../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	match := tourBlock.FindSubmatch(readme)
	if match == nil {
		t.Fatal("the README has no tour of two blocks")
	}
	const then = "-- then --\n"
	importing := regexp.MustCompile("(?m)^.*bin/hp-analytics import .*$").FindString(string(match[2]))
	script := strings.NewReplacer("http://localhost:8080", url, ".data/", dir+"/", "/tmp/", t.TempDir()+"/", "bin/hp-analytics", os.Args[0]).
		Replace(string(match[1]) + "printf '%s' '" + then + "'\n" + string(match[2]) + importing)
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", script)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	first, second, _ := strings.Cut(string(out), then)
	if strings.Contains(first, "}{") || strings.Contains(first, "\n\n") {
		t.Errorf("the tour does not show one answer a line:\n%s", first)
	}
	shows(t, first,
		`"created":2`, `"accepted":4`, `"rejected":1`, `"code":"unknown_product"`, `"amount_minor":25800`,
		`"sku":"SHOE-42"`, `"gross_minor":38700`, `"number":"web-1002"`, `"refunded_minor":1333`, `"pending_events":0`)
	if ranked := strings.Count(first, `"sku":"SHOE-42"},"rank":1,`); ranked != 2 {
		t.Errorf("the shoe is first in %d of the two rankings:\n%s", ranked, first)
	}
	shows(t, second, "orders                1 imported", "1 rows were sent by earlier runs",
		`"slug":"tokyo"`, `"time_zone":"Asia/Tokyo"`, `"name":"web shop"`, `"key":"hpa_`)
}

// shows demands that a part of the tour shows some texts.
func shows(t *testing.T, out string, texts ...string) {
	t.Helper()
	for _, want := range texts {
		if !strings.Contains(out, want) {
			t.Errorf("the tour does not show %s:\n%s", want, out)
		}
	}
}
