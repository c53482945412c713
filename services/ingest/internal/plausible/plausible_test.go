package plausible

import (
	"strings"
	"testing"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// Each kind of event, with the names of scripts and those of documents, old and new.
func TestParse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ body, kind, properties string }{
		{
			`{"n":"pageview","v":36,"u":"https://shop.example/tea?utm_source=mail&x=<1>#private","d":"shop.example","r":"https://search.example/"}`,
			"page", `{"domain":"shop.example","referrer":"https://search.example/","url":"https://shop.example/tea?utm_source=mail&x=<1>","utm_source":"mail"}`,
		},
		{`{"name":"Signup","url":"https://a.example/","domain":"a.example","props":{"plan":"pro","n":1}}`, "Signup", `{"domain":"a.example","n":1,"plan":"pro","url":"https://a.example/"}`},
		{`{"n":"x","u":"https://a.example/#/cart","h":1,"r":null,"p":"{\"a\":\"b\"}","w":1200}`, "x", `{"a":"b","url":"https://a.example/#/cart"}`},
		{`{"n":"Outbound Link: Click","u":"https://a.example/","p":{"url":"https://b.example/"}}`, "Outbound Link: Click", `{"url":"https://b.example/"}`},
		{`{"n":"Sold","$":{"amount":"12.50","currency":"EUR"}}`, "Sold", `{"currency":"EUR","revenue":"12.50"}`},
		{`{"n":"engagement","e":4200,"sd":80,"u":"https://a.example/","p":{}}`, "engagement", `{"engagement_ms":4200,"scroll_depth":80,"url":"https://a.example/"}`},
		{`{"n":"x","p":[1],"m":"none","u":{}}`, "x", ""},
		{`{"u":"%zz"}`, "", `{"url":"%zz"}`},
	} {
		d, err := Parse([]byte(c.body))
		if err != nil || d.Type != c.kind || string(d.Properties) != c.properties {
			t.Errorf("%s: %q %s, %v", c.body, d.Type, d.Properties, err)
		}
	}
	for _, body := range []string{"", "null", "[]", "17", `{"n":`, strings.Repeat("[", 100_000)} {
		if _, err := Parse([]byte(body)); !errs.Is(err, errs.Malformed) {
			t.Errorf("%.20s: %v", body, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"n":"pageview","u":"https://shop.example/?utm_source=a","p":"{\"a\":1}"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		d, err := Parse(body)
		if err == nil && d.Good&^d.Sent != 0 {
			t.Errorf("fields that were not sent are good: %v", d)
		}
	})
}
