package auth_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// publicKey is a public key as it is answered.
type publicKey struct {
	Key, Kind string
	Public    *publicSettings
}

type publicSettings struct {
	Origins         []string
	DefaultSKU      string `json:"default_sku"`
	EventsPerMinute int    `json:"events_per_minute"`
	DropBots        bool   `json:"drop_bots"`
}

// A public key is made by the operation that makes all keys, with its settings in the form in which they are compared.
func TestPublicKeys(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	admin := o.admin(o.start())
	const path = "/auth/api-keys"
	made := want[publicKey](admin, http.StatusCreated, http.MethodPost, path, `{"name":"pages","kind":"public","scopes":["ingest"],
		"public":{"origins":["HTTPS://Shop.example:443/","http://localhost:3000","*"],"default_sku":" SHOE ","events_per_minute":100,"drop_bots":false}}`)
	usual := want[publicKey](admin, http.StatusCreated, http.MethodPost, path, `{"name":"usual","kind":"public","scopes":["ingest"],"public":{"origins":["https://a.example"]}}`)
	secret := want[publicKey](admin, http.StatusCreated, http.MethodPost, path, `{"name":"secret","scopes":["ingest"]}`)
	if !strings.HasPrefix(made.Key, "hpw_") || !strings.HasPrefix(secret.Key, "hpa_") {
		t.Errorf("keys %.4s and %.4s", made.Key, secret.Key)
	}
	list := want[struct{ Items []publicKey }](admin, http.StatusOK, http.MethodGet, path, "").Items
	made.Key, usual.Key, secret.Key = "", "", ""
	all := []publicKey{
		{Kind: "secret"},
		{Kind: "public", Public: &publicSettings{Origins: []string{"https://a.example"}, DropBots: true}},
		{Kind: "public", Public: &publicSettings{Origins: []string{"https://shop.example", "http://localhost:3000", "*"}, DefaultSKU: "SHOE", EventsPerMinute: 100}},
	}
	if diff := cmp.Diff(all, list); diff != "" {
		t.Errorf("listed keys (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(all, []publicKey{secret, usual, made}); diff != "" {
		t.Errorf("made keys (-want +got):\n%s", diff)
	}
	if n := o.execute(`UPDATE auth.api_keys SET name = name WHERE kind = 'public' AND scopes = '{ingest}'`); n != 2 {
		t.Errorf("%d public keys are stored", n)
	}
}

func TestPublicKeysThatCannotBe(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	admin := o.admin(o.start())
	for members, pointer := range map[string]string{
		`"scopes":["ingest","read"],"kind":"public","public":{"origins":["*"]}`:                         "/scopes",
		`"scopes":["admin"],"kind":"public","public":{"origins":["*"]}`:                                 "/scopes",
		`"scopes":["ingest"],"kind":"public"`:                                                           "/public/origins",
		`"scopes":["ingest"],"public":{"origins":["*"]}`:                                                "/public",
		`"scopes":["ingest"],"kind":"public","public":{"origins":["*"]},"delegate":true`:                "/delegate",
		`"scopes":["ingest"],"kind":"public","public":{"origins":["https://a.example/path"]}`:           "/public/origins/0",
		`"scopes":["ingest"],"kind":"public","public":{"origins":["https://a.example","shop.example"]}`: "/public/origins/1",
		`"scopes":["ingest"],"kind":"public","public":{"origins":["ftp://a.example"]}`:                  "/public/origins/0",
		`"scopes":["ingest"],"kind":"public","public":{"origins":["https://u:p@a.example"]}`:            "/public/origins/0",
		`"scopes":["ingest"],"kind":"public","public":{"origins":["*"],"default_sku":".."}`:             "/public/default_sku",
		`"scopes":["ingest"],"kind":"public","public":{"origins":[]}`:                                   "/public/origins",
		`"scopes":["ingest"],"kind":"public","public":{"origins":["*"],"events_per_minute":0}`:          "/public/events_per_minute",
	} {
		answer := admin.do(http.MethodPost, "/auth/api-keys", `{"name":"n",`+members+`}`)
		if answer.Code != http.StatusUnprocessableEntity || !strings.Contains(answer.Body.String(), `"pointer":"`+pointer+`"`) {
			t.Errorf("%s: %d %s, want a problem at %s", members, answer.Code, answer.Body, pointer)
		}
	}
}
