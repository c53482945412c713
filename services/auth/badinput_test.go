package auth_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// TestBadInput checks that bad requests are refused with a pointer to each problem, and change nothing.
func TestBadInput(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	anyone := o.start()
	anyone.register("taken@example.com")
	anyone.register("\u00e4da@example.com")
	admin := o.admin(anyone)
	long := func(n int) string { return strings.Repeat("x", n) }
	register := credentials
	const post, get, del = http.MethodPost, http.MethodGet, http.MethodDelete

	tests := map[string]struct {
		method, target, body string
		status               int
		code                 string
		fields               []string
	}{
		"no body":           {post, "/auth/register", "", 400, "body_required", nil},
		"no JSON":           {post, "/auth/register", "email=a", 400, "malformed_json", nil},
		"cut off":           {post, "/auth/login", `{"email":`, 400, "malformed_json", nil},
		"a list":            {post, "/auth/register", `[]`, 422, "validation_failed", []string{" wrong_type"}},
		"empty object":      {post, "/auth/register", `{}`, 422, "validation_failed", []string{"/email required", "/password required"}},
		"unknown field":     {post, "/auth/register", `{"email":"a@example.com","password":"` + goodPassword + `","role":"admin"}`, 422, "validation_failed", []string{"/role unknown_field"}},
		"wrong types":       {post, "/auth/register", `{"email":1,"password":true}`, 422, "validation_failed", []string{"/email wrong_type", "/password wrong_type"}},
		"huge body":         {post, "/auth/register", register("a@example.com", long(64<<10)), 413, "body_too_large", nil},
		"no address":        {post, "/auth/register", register("ada", goodPassword), 422, "validation_failed", []string{"/email invalid_format"}},
		"name and address":  {post, "/auth/register", register("Ada <ada@example.com>", goodPassword), 422, "validation_failed", []string{"/email invalid_format"}},
		"NUL in an address": {post, "/auth/register", register(`a\u0000@example.com`, goodPassword), 422, "validation_failed", []string{"/email invalid_format", "/email invalid_value"}},
		"long address":      {post, "/auth/register", register(long(250)+"@example.com", goodPassword), 422, "validation_failed", []string{"/email too_long"}},
		"NUL in a name":     {post, "/auth/register", `{"email":"a@example.com","password":"` + goodPassword + `","name":"a\u0000"}`, 422, "validation_failed", []string{"/name invalid_value"}},
		"long name":         {post, "/auth/register", `{"email":"a@example.com","password":"` + goodPassword + `","name":"` + long(201) + `"}`, 422, "validation_failed", []string{"/name too_long"}},
		"short password":    {post, "/auth/register", register("a@example.com", "123456789"), 422, "validation_failed", []string{"/password password_too_short"}},
		"long password":     {post, "/auth/register", register("a@example.com", long(129)), 422, "validation_failed", []string{"/password password_too_long"}},
		"common password":   {post, "/auth/register", register("a@example.com", "Password123"), 422, "validation_failed", []string{"/password password_too_common"}},
		"common, odd case":  {post, "/auth/register", register("a@example.com", "BaSkEtBaLl"), 422, "validation_failed", []string{"/password password_too_common"}},
		"email in NFD":      {post, "/auth/register", register(`a\u0308da@example.com`, goodPassword), 409, "email_taken", []string{"/email email_taken"}},
		"129 in NFC":        {post, "/auth/register", register("a@example.com", strings.Repeat(`u\u0308`, 129)), 422, "validation_failed", []string{"/password password_too_long"}},
		"9 in NFC":          {post, "/auth/register", register("a@example.com", strings.Repeat(`u\u0308`, 9)), 422, "validation_failed", []string{"/password password_too_short"}},
		"password is email": {post, "/auth/register", register("ada@example.com", "ADA@example.com"), 422, "validation_failed", []string{"/password password_too_common"}},
		"email taken":       {post, "/auth/register", register("taken@example.com", goodPassword), 409, "email_taken", []string{"/email email_taken"}},
		"email taken, case": {post, "/auth/register", register("TAKEN@Example.com", goodPassword), 409, "email_taken", []string{"/email email_taken"}},

		"login without password": {post, "/auth/login", `{"email":"taken@example.com"}`, 422, "validation_failed", []string{"/password required"}},
		"login, wrong password":  {post, "/auth/login", credentials("taken@example.com", "wrong"), 401, "invalid_credentials", nil},
		"login, no account":      {post, "/auth/login", credentials("nobody@example.com", goodPassword), 401, "invalid_credentials", nil},
		"login, no address":      {post, "/auth/login", credentials("nobody", goodPassword), 401, "invalid_credentials", nil},
		"login, NUL":             {post, "/auth/login", credentials(`taken@example.com\u0000`, goodPassword), 422, "validation_failed", []string{"/email invalid_value"}},
		"login, SQL":             {post, "/auth/login", credentials(`' OR ''='`, goodPassword), 401, "invalid_credentials", nil},

		"refresh without token":  {post, "/auth/refresh", `{}`, 422, "validation_failed", []string{"/refresh_token required"}},
		"refresh with nonsense":  {post, "/auth/refresh", `{"refresh_token":"abc"}`, 401, "invalid_refresh_token", nil},
		"refresh with long text": {post, "/auth/refresh", `{"refresh_token":"` + long(513) + `"}`, 422, "validation_failed", []string{"/refresh_token too_long"}},
		"logout with a number":   {post, "/auth/logout", `{"refresh_token":1}`, 422, "validation_failed", []string{"/refresh_token wrong_type"}},

		"key without scopes":    {post, "/auth/api-keys", `{"name":"a"}`, 422, "validation_failed", []string{"/scopes required"}},
		"key with no scope":     {post, "/auth/api-keys", `{"name":"a","scopes":[]}`, 422, "validation_failed", []string{"/scopes too_short"}},
		"key with odd scope":    {post, "/auth/api-keys", `{"name":"a","scopes":["root"]}`, 422, "validation_failed", []string{"/scopes/0 invalid_enum"}},
		"key with scope twice":  {post, "/auth/api-keys", `{"name":"a","scopes":["read","read"]}`, 422, "validation_failed", []string{"/scopes duplicate_item"}},
		"key without name":      {post, "/auth/api-keys", `{"name":"","scopes":["read"]}`, 422, "validation_failed", []string{"/name too_short"}},
		"key with a blank name": {post, "/auth/api-keys", `{"name":" ","scopes":["read"]}`, 422, "validation_failed", []string{"/name too_short"}},
		"unknown key":           {del, "/auth/api-keys/" + uuid.NewString(), "", 404, "unknown_api_key", nil},
		"key of no id":          {del, "/auth/api-keys/abc", "", 404, "not_found", nil},

		"unknown path":   {get, "/auth/nothing", "", 404, "no_such_path", nil},
		"unknown method": {http.MethodPut, "/auth/login", "{}", 405, "method_not_allowed", nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			wantProblem(t, admin.do(test.method, test.target, test.body), test.status, test.code, test.fields...)
		})
	}
	t.Run("media types", func(t *testing.T) {
		body := credentials("a@example.com", goodPassword)
		wantProblem(t, anyone.do(post, "/auth/register", body, "Content-Type: text/plain"), 415, "unsupported_media_type")
		wantProblem(t, anyone.do(post, "/auth/register", body, "Content-Encoding: gzip"), 415, "unsupported_encoding")
	})
	t.Run("nothing has changed", func(t *testing.T) {
		if n := o.execute(`UPDATE auth.users SET name = name`); n != 3 {
			t.Errorf("%d accounts, want the three from before", n)
		}
		if n := o.execute(`UPDATE auth.api_keys SET name = name`); n != 0 {
			t.Errorf("%d API keys", n)
		}
	})
}
