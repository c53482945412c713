package catalog_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
)

// TestPagesShowChanges reads a page that is cached, on the replica that changes a product and on another one.
func TestPagesShowChanges(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	here, there := shop.start(), shop.start()
	shoe := here.create("A")
	read := func(c client) []string { return get[list](c, "/products?limit=50").skus() }
	read(there)
	for _, change := range []struct {
		make func()
		want []string
	}{
		{func() { here.create("B") }, []string{"B", "A"}},
		{func() {
			want[bulkResult](here, http.StatusOK, http.MethodPost, "/products/bulk", `{"products":[`+document("C")+`]}`)
		}, []string{"C", "B", "A"}},
		{func() { want[item](here, http.StatusOK, http.MethodPatch, shoe.path(), `{"sku":"Z"}`) }, []string{"C", "B", "Z"}},
		{func() { want[any](here, http.StatusNoContent, http.MethodDelete, shoe.path(), "") }, []string{"C", "B"}},
	} {
		read(here)
		change.make()
		if got := read(here); !slices.Equal(got, change.want) {
			t.Errorf("the same replica shows %v, want %v", got, change.want)
		}
		platformtest.Eventually(t, othersSee, "another replica shows the change", func() bool { return slices.Equal(read(there), change.want) })
	}
}

// TestHotReadsKeepTheRules repeats reads that are cached, and changes what decides about them.
func TestHotReadsKeepTheRules(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	c := shop.start()
	shoe := c.create("A")
	for _, path := range []string{shoe.path(), "/products"} {
		var tag string
		for range 3 { // computed, from the cache, ahead of the router
			w := c.do(http.MethodGet, path, "")
			if tag = w.Header().Get("ETag"); w.Code != http.StatusOK || tag == "" || w.Header().Get("Cache-Control") == "" {
				t.Fatalf("%s: status %d, header %v", path, w.Code, w.Header())
			}
		}
		if w := c.do(http.MethodGet, path, "", "If-None-Match: "+tag); w.Code != http.StatusNotModified || w.Body.Len() > 0 {
			t.Errorf("%s: status %d for its own tag", path, w.Code)
		}
		wantProblem(t, c.as("x.y.z").do(http.MethodGet, path, ""), http.StatusUnauthorized, "invalid_token")
		wantProblem(t, c.do(http.MethodGet, path, "", "Project: nowhere"), http.StatusForbidden, "project_forbidden")
		wantProblem(t, c.do(http.MethodGet, path+"?nothing=1", ""), http.StatusUnprocessableEntity, "validation_failed", "/query/nothing unknown_parameter")
		wantProblem(t, c.do(http.MethodGet, path, "", "If-None-Match: a", "If-None-Match: b"), http.StatusUnprocessableEntity,
			"validation_failed", "/header/If-None-Match invalid_value")
		if w := c.as("").do(http.MethodGet, path, ""); w.Code != http.StatusOK {
			t.Errorf("%s: status %d for nobody", path, w.Code)
		}
	}
}
