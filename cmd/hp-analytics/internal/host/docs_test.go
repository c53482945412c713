package host_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestSwaggerFindsWhatIsThere asks for products and for a ranking in Swagger UI, without filling in anything: the examples of optional
// parameters must not be sent as filters.
func TestSwaggerFindsWhatIsThere(t *testing.T) {
	t.Parallel()
	s, id := busyShop(t)
	b := newTab(t, s.url)
	b.open("/docs")
	b.until(`document.querySelector(".opblock")`)
	b.do(chromedp.Evaluate(fmt.Sprintf(`ui.preauthorizeApiKey("bearerAuth", %q)`, strings.TrimPrefix(s.admin, "Bearer ")), nil))
	for i, path := range []string{"/products", "/analytics/products/top"} {
		block := fmt.Sprintf(`[...document.querySelectorAll(".opblock-get")].find(b => b.querySelector("[data-path]").dataset.path === %q)`, path)
		b.do(chromedp.Evaluate(block+`.querySelector(".opblock-summary-control").click()`, nil))
		b.until(block + `.querySelector(".try-out__btn")`)
		b.do(chromedp.Evaluate(block+`.querySelector(".try-out__btn").click()`, nil))
		b.until(block + `.querySelector(".execute")`)
		filled := block + `.querySelectorAll("input[type=text]").values().filter(input => input.value !== "").map(input => input.placeholder + "=" + input.value).toArray().join()`
		if got := b.value(filled); got != "limit="+strconv.Itoa(20-10*i) {
			t.Errorf("%s is asked with %s", path, got)
		}
		b.do(chromedp.Evaluate(block+`.querySelector(".execute").click()`, nil))
		b.until(fmt.Sprintf(`%s.querySelector(".live-responses-table")?.textContent.includes(%q)`, block, id))
	}
	b.clean()
}
