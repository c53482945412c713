package jsonerr_test

import (
	"encoding/json"
	"testing"

	"github.com/hp-analytics/hp-analytics/internal/platform/jsonerr"
)

// TestExplain gives JSON of wrong shapes, and JSON that ends too early.
func TestExplain(t *testing.T) {
	t.Parallel()
	type inner struct {
		URL string `json:"url"`
	}
	for text, want := range map[string]string{
		`[]`: "it is an array, which does not fit here", `"x"`: "it is a text, which does not fit here", `1.5`: "it is a number, which does not fit here",
		`{"page":"x"}`: "page is a text, which does not fit here", `{"page":{"url":true}}`: "page.url is true or false, which does not fit here",
		`{"page":`: "unexpected end of JSON input",
	} {
		var v struct {
			Page inner `json:"page"`
		}
		if err := jsonerr.Explain(json.Unmarshal([]byte(text), &v)); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	if err := jsonerr.Explain(nil); err != nil {
		t.Error(err)
	}
}
