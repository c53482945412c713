package api

import (
	"strconv"
	"strings"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/catalog/internal/product"
)

// etag is the strong entity tag of a product: its version.
func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// noneMatch reports whether If-None-Match names this version (RFC 9110, section 13.1.2). The comparison is weak, because a
// proxy that compresses an answer weakens its tag.
func noneMatch(header string, version int64) bool {
	return names(header, func(tag string) bool { return strings.TrimPrefix(tag, "W/") == etag(version) })
}

// names reports whether a list of entity tags is "*" or has one that matches. The tags of products contain no comma.
func names(header string, match func(tag string) bool) bool {
	for tag := range strings.SplitSeq(header, ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || match(tag) {
			return true
		}
	}
	return false
}

// onlyIf returns change with the condition of If-Match (RFC 9110, section 13.1.1), by strong comparison. Without the header
// there is no condition.
func onlyIf(header *string, change product.Change) product.Change {
	if header == nil {
		return change
	}
	return func(p product.Product) (product.Product, error) {
		if !names(*header, func(tag string) bool { return tag == etag(p.Version) }) {
			return product.Product{}, errs.New(errs.Stale, "stale_version",
				"The product has changed: its ETag is now "+etag(p.Version)+". Get it again and repeat the change.")
		}
		return change(p)
	}
}
