package account

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/hp-analytics/hp-analytics/internal/identifier"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// maxOrigins is how many origins a public key allows.
const maxOrigins = 50

// publicProblems checks what only public keys have, and writes it in the form in which it is compared.
func (r *KeyRequest) publicProblems() (problems []errs.Field) {
	if r.Public == nil {
		return nil
	}
	refuse := func(pointer, code, detail string) {
		problems = append(problems, errs.Field{Pointer: pointer, Code: code, Detail: detail})
	}
	if !slices.Equal(r.Scopes, []authn.Scope{authn.ScopeIngest}) {
		refuse("/scopes", "public_ingest_only", "A public key has the scope ingest and no other.")
	}
	public := *r.Public
	if len(public.Origins) == 0 || len(public.Origins) > maxOrigins {
		refuse("/public/origins", "invalid_value", "Name 1 to "+strconv.Itoa(maxOrigins)+" origins whose pages may send, or * for any.")
	}
	public.Origins = slices.Clone(public.Origins)
	for i, text := range public.Origins {
		origin, ok := originOf(text)
		if !ok {
			refuse("/public/origins/"+strconv.Itoa(i), "invalid_origin",
				"An origin is a scheme and a host without a path, such as https://shop.example or http://localhost:3000; * is any.")
		}
		public.Origins[i] = origin
	}
	if public.DefaultSKU != "" {
		sku, err := identifier.Text(public.DefaultSKU)
		if err != nil {
			refuse("/public/default_sku", "invalid_value", "default_sku "+err.Error()+".")
		}
		public.DefaultSKU = sku
	}
	r.Public = &public
	return problems
}

// originOf returns an origin as browsers send it: in lower case and without the port that the scheme implies.
func originOf(text string) (string, bool) {
	if text == authn.AnyOrigin {
		return text, true
	}
	text = strings.ToLower(strings.TrimSuffix(text, "/"))
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || text != u.Scheme+"://"+u.Host {
		return "", false
	}
	if port := map[string]string{"http": ":80", "https": ":443"}[u.Scheme]; strings.HasSuffix(text, port) {
		text = strings.TrimSuffix(text, port)
	}
	return text, true
}
