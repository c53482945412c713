package api

import (
	"strconv"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/reply"
	"github.com/hp-analytics/hp-analytics/services/catalog/internal/product"
)

// etag is the strong entity tag of a product: its version.
func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// onlyIf returns change with the condition of If-Match (RFC 9110, section 13.1.1), by strong comparison: the tag of the
// compressed representation names the version as well. Without the header there is no condition.
func onlyIf(header *string, change product.Change) product.Change {
	if header == nil {
		return change
	}
	return func(p product.Product) (product.Product, error) {
		if !reply.Names(*header, func(tag string) bool { return reply.Plain(tag) == etag(p.Version) }) {
			return product.Product{}, errs.New(errs.Stale, "stale_version",
				"The product has changed: its ETag is now "+etag(p.Version)+". Get it again and repeat the change.")
		}
		return change(p)
	}
}
