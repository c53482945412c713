package catalog_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestPatch(t *testing.T) {
	t.Parallel()
	admin := newShop(t).start()
	before := item{
		Name: "Shoe", Description: "Light.", Category: "shoes", PriceMinor: 12900, Currency: "EUR", Status: "active", Version: 1,
		Prices:     map[string]int64{"USD": 13900},
		Attributes: map[string]any{"size": 42.0, "colours": map[string]any{"sole": "red", "lace": "blue"}},
	}
	tests := map[string]struct {
		patch string
		edit  func(after *item) // nil: nothing changes, not even the version
	}{
		"nothing":               {`{}`, nil},
		"what it is already":    {`{"name":"Shoe","price_minor":12900,"currency":"EUR","status":"active","attributes":{"size":42.0}}`, nil},
		"null for what is not":  {`{"attributes":{"weight":null}}`, nil},
		"name and price":        {`{"name":"Boot","price_minor":0}`, func(i *item) { i.Name, i.PriceMinor = "Boot", 0 }},
		"texts cleared":         {`{"description":null,"category":null}`, func(i *item) { i.Description, i.Category = "", "" }},
		"texts emptied":         {`{"description":"","category":""}`, func(i *item) { i.Description, i.Category = "", "" }},
		"currency and price":    {`{"currency":"KWD","price_minor":41500}`, func(i *item) { i.Currency, i.PriceMinor = "KWD", 41500 }},
		"prices added":          {`{"prices":{"JPY":21000,"CHF":null}}`, func(i *item) { i.Prices = map[string]int64{"USD": 13900, "JPY": 21000} }},
		"price cleared":         {`{"prices":{"USD":null}}`, func(i *item) { i.Prices = map[string]int64{} }},
		"prices cleared":        {`{"prices":null}`, func(i *item) { i.Prices = map[string]int64{} }},
		"archived":              {`{"status":"archived"}`, func(i *item) { i.Status = "archived" }},
		"attributes cleared":    {`{"attributes":null}`, func(i *item) { i.Attributes = map[string]any{} }},
		"attribute added":       {`{"attributes":{"weight":"1 kg"}}`, func(i *item) { i.Attributes["weight"] = "1 kg" }},
		"attribute cleared":     {`{"attributes":{"size":null}}`, func(i *item) { delete(i.Attributes, "size") }},
		"attribute deep inside": {`{"attributes":{"colours":{"sole":null,"tip":"gold"}}}`, func(i *item) { i.Attributes["colours"] = map[string]any{"lace": "blue", "tip": "gold"} }},
		"attribute replaced":    {`{"attributes":{"colours":["red",null]}}`, func(i *item) { i.Attributes["colours"] = []any{"red", nil} }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shoe := admin.create("P-"+strings.ReplaceAll(name, " ", "-"), `"name":"Shoe"`, `"description":"Light."`, `"category":"shoes"`, `"prices":{"USD":13900}`,
				`"attributes":{"size":42,"colours":{"sole":"red","lace":"blue"}}`)
			want := before
			want.Attributes = map[string]any{"size": 42.0, "colours": map[string]any{"sole": "red", "lace": "blue"}}
			want.ID, want.SKU, want.CreatedAt = shoe.ID, shoe.SKU, shoe.CreatedAt
			if test.edit != nil {
				test.edit(&want)
				want.Version = 2
			}
			w := admin.do(http.MethodPatch, shoe.path(), test.patch)
			if tag := fmt.Sprintf(`"%d"`, want.Version); w.Code != http.StatusOK || w.Header().Get("ETag") != tag {
				t.Fatalf("status %d, ETag %s; want ETag %s: %s", w.Code, w.Header().Get("ETag"), tag, w.Body)
			}
			after := get[item](admin, shoe.path())
			if diff := cmp.Diff(want, after, cmpopts.IgnoreFields(item{}, "UpdatedAt")); diff != "" {
				t.Errorf("product (-want +got):\n%s", diff)
			}
			if changed := after.UpdatedAt.After(shoe.UpdatedAt); changed != (test.edit != nil) {
				t.Errorf("updated_at was %s and is %s", shoe.UpdatedAt, after.UpdatedAt)
			}
		})
	}
}

func TestPreconditions(t *testing.T) {
	t.Parallel()
	admin := newShop(t).start()
	shoe := admin.create("A")
	want[item](admin, http.StatusOK, http.MethodPatch, shoe.path(), `{"name":"second"}`, `If-Match: "1"`)
	for _, request := range []struct{ method, body string }{
		{http.MethodPatch, `{"name":"third"}`}, {http.MethodPatch, `{}`}, {http.MethodDelete, ""},
	} {
		for _, tag := range []string{`"1"`, `W/"2"`, `"3"`, `2`} {
			wantProblem(t, admin.do(request.method, shoe.path(), request.body, "If-Match: "+tag), http.StatusPreconditionFailed, "stale_version")
		}
	}
	if now := get[item](admin, shoe.path()); now.Version != 2 || now.Name != "second" || now.Status != "active" {
		t.Errorf("after stale requests: %+v", now)
	}
	want[item](admin, http.StatusOK, http.MethodPatch, shoe.path(), `{}`, `If-Match: "1", "2"`)
	want[any](admin, http.StatusNoContent, http.MethodDelete, shoe.path(), "", `If-Match: "2"`)
	wantProblem(t, admin.do(http.MethodDelete, shoe.path(), "", `If-Match: "2"`), http.StatusPreconditionFailed, "stale_version")
	want[any](admin, http.StatusNoContent, http.MethodDelete, shoe.path(), "", "If-Match: *")
}

// TestOneOfManyWins lets clients change one version of a product at the same time, on two replicas.
func TestOneOfManyWins(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	replicas := []client{shop.start(), shop.start()}
	shoe := replicas[0].create("A")
	var won, lost atomic.Int32
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			w := replicas[i%2].do(http.MethodPatch, shoe.path(), fmt.Sprintf(`{"name":"writer %d"}`, i), `If-Match: "1"`)
			switch w.Code {
			case http.StatusOK:
				won.Add(1)
			case http.StatusPreconditionFailed:
				lost.Add(1)
			default:
				t.Errorf("status %d: %s", w.Code, w.Body)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 || lost.Load() != 15 {
		t.Errorf("%d won and %d lost, want 1 and 15", won.Load(), lost.Load())
	}
}
