package auth_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// hookKey is the key of a webhook as it is listed.
type hookKey struct {
	Kind            string
	UnknownProducts string `json:"unknown_products"`
	Signed          *bool
}

// The key of a webhook is made like other keys, and gets the secret of the service then or later. The secret is never shown.
func TestHookKeys(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	admin := o.admin(o.start())
	const path = "/auth/api-keys"
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	shopify := want[apiKey](admin, http.StatusCreated, http.MethodPost, path, `{"name":"a","kind":"shopify","scopes":["ingest"]}`)
	stripe := want[apiKey](admin, http.StatusCreated, http.MethodPost, path, `{"name":"b","kind":"stripe","scopes":["ingest"],"unknown_products":"refuse","signing_secret":" `+secret+` "}`)
	plain := want[apiKey](admin, http.StatusCreated, http.MethodPost, path, `{"name":"c","scopes":["ingest"]}`)
	if !strings.HasPrefix(shopify.Key, "hpc_") || shopify.Prefix+stripe.Prefix != "" {
		t.Errorf("the keys begin with %.4s", shopify.Key)
	}
	no, yes := false, true
	list := want[struct{ Items []hookKey }](admin, http.StatusOK, http.MethodGet, path, "").Items
	if diff := cmp.Diff([]hookKey{{"secret", "refuse", nil}, {"stripe", "refuse", &yes}, {"shopify", "create", &no}}, list); diff != "" {
		t.Errorf("listed keys (-want +got):\n%s", diff)
	}
	put := func(id string) string { return path + "/" + id + "/signing-secret" }
	body := `{"secret":"` + secret + `"}`
	want[any](admin, http.StatusNoContent, http.MethodPut, put(shopify.ID), body)
	wantProblem(t, admin.do(http.MethodPut, put(shopify.ID), `{"secret":"two words"}`), http.StatusUnprocessableEntity, "validation_failed", "/secret invalid_value")
	wantProblem(t, admin.do(http.MethodPut, put(plain.ID), body), http.StatusNotFound, "unknown_api_key")
	want[any](admin, http.StatusOK, http.MethodDelete, path+"/"+stripe.ID, "")
	wantProblem(t, admin.do(http.MethodPut, put(stripe.ID), body), http.StatusNotFound, "unknown_api_key")
	if n := o.execute(`UPDATE auth.api_keys SET name = name WHERE signing_secret = $1`, secret); n != 2 {
		t.Errorf("%d keys have the secret", n)
	}
	shown := admin.do(http.MethodGet, path, "").Body.String() + admin.do(http.MethodGet, "/auth/audit", "").Body.String()
	if strings.Contains(shown, secret) || !strings.Contains(shown, "key.signing_secret_set") {
		t.Errorf("the secret is shown, or setting it is not: %s", shown)
	}
	for members, pointer := range map[string]string{
		`"scopes":["ingest","read"],"kind":"shopify"`:                         "/scopes",
		`"scopes":["ingest"],"kind":"shopify","public":{"origins":["*"]}`:     "/public",
		`"scopes":["ingest"],"signing_secret":"12345678"`:                     "/signing_secret",
		`"scopes":["ingest"],"kind":"stripe","signing_secret":"1234 5678"`:    "/signing_secret",
		`"scopes":["ingest"],"kind":"stripe","delegate":true`:                 "/delegate",
		`"scopes":["ingest"],"kind":"stripe","signing_secret":"        \t  "`: "/signing_secret",
	} {
		answer := admin.do(http.MethodPost, path, `{"name":"n",`+members+`}`)
		if answer.Code != http.StatusUnprocessableEntity || !strings.Contains(answer.Body.String(), `"pointer":"`+pointer+`"`) {
			t.Errorf("%s: %d %s, want a problem at %s", members, answer.Code, answer.Body, pointer)
		}
	}
}
