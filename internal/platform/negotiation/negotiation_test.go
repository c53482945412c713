package negotiation_test

import (
	"net/http"
	"testing"

	"github.com/hp-analytics/hp-analytics/internal/platform/negotiation"
)

func TestMediaType(t *testing.T) {
	t.Parallel()
	const json, csv = "application/json", "text/csv"
	for _, c := range []struct {
		accept []string
		want   string // empty: none is acceptable
	}{
		{nil, json},
		{[]string{""}, json},
		{[]string{"*/*"}, json},
		{[]string{"TEXT/CSV; charset=utf-8"}, csv},
		{[]string{"text/*"}, csv},
		{[]string{"application/json;q=0.5", "text/csv"}, csv},
		{[]string{"*/*, application/json;q=0"}, csv},
		{[]string{"garbage garbage, text/csv"}, csv},
		{[]string{"text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"}, json}, // HttpURLConnection of Java
		{[]string{"text/html"}, ""},
		{[]string{"application/*;q=0"}, ""},
		{[]string{"application/json;q=0.000"}, ""},
		{[]string{"application/problem+json"}, ""},
		{[]string{"application/jso"}, ""},
		// A malformed weight is no weight, and no reason to prefer.
		{[]string{"text/csv;q=x"}, ""},
		{[]string{"text/csv;q=2"}, ""},
		{[]string{"text/csv;q=-1"}, ""},
		{[]string{"text/csv;q=NaN"}, ""},
		{[]string{"text/csv;q=Inf, application/json;q=0.1"}, json},
		{[]string{"text/csv;q=1e0"}, ""},
		{[]string{"text/csv;q="}, ""},
	} {
		got, ok := negotiation.MediaType(http.Header{"Accept": c.accept}, json, csv)
		if got != c.want || ok != (c.want != "") {
			t.Errorf("%q: %q %t, want %q", c.accept, got, ok, c.want)
		}
	}
}

func TestGzip(t *testing.T) {
	t.Parallel()
	for accepted, want := range map[string]bool{
		"gzip": true, "br, GZIP;q=0.5": true, "gzip;q=1": true, "gzip ; q=0.001": true, "gzip;Q=1.000": true, "gzip;q=.5": true,
		"x-gzip": true, "gzip, identity;q=0.5": true, "identity;q=0, gzip;q=0.1": true,
		"": false, "br": false, "gzip;q=0": false, "gzip;q=0.000": false, "gzip;q=.0": false, "xgzip": false, "identity": false,
		"gzip;q=0.1, identity": false, "identity;q=0.8, gzip;q=0.7": false,
		"gzip;q=x": false, "gzip;q=": false, "gzip;q": false, "gzip;": false, "gzip;q=2": false, "gzip;q=1.1": false, "gzip;q=-1": false,
		"gzip;q=+1": false, "gzip;q=1e0": false, "gzip;q=0x1": false, "gzip;q=NaN": false, "gzip;q=inf": false, "gzip;q=1;q=1": false,
		"gzip;level=9": false, "gzip;q=0,5": false, "gzip;q=1.0.0": false, "gzip;q=.": false,
	} {
		if got := negotiation.Gzip(http.Header{"Accept-Encoding": {accepted}}); got != want {
			t.Errorf("Accept-Encoding: %s: %t", accepted, got)
		}
	}
	if !negotiation.Gzip(http.Header{"Accept-Encoding": {"br", "gzip"}}) || negotiation.Gzip(http.Header{}) {
		t.Error("several lines, or none")
	}
}
