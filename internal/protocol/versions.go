package protocol

import (
	"strconv"

	"github.com/cespare/xxhash/v2"
)

// Version tokens tell readers of rollups that something has changed. The aggregator sets the fields of what it touched to
// new random values after each commit; analytics makes them part of its cache keys, so that answers computed before can
// no longer be found. Tokens are random and not counters, because Redis may lose them: a counter that starts anew would
// meet its old values again.
const (
	// VersionsKey is the Redis hash of all tokens.
	VersionsKey = "hpa:stats:versions"
	// TopField is the token of everything that ranks over all products.
	TopField = "top"
)

// buckets bounds the number of fields. Products and users share a token with the others of their bucket: what is lost by
// that is a few computations, never correctness.
const buckets = 256

// ProductField is the token of the numbers of a product.
func ProductField(productID string) string { return "p:" + bucket(productID) }

// UserField is the token of the numbers of a user.
func UserField(userID string) string { return "u:" + bucket(userID) }

// AllFields returns every field that there can be.
func AllFields() []string {
	fields := []string{TopField}
	for n := range uint64(buckets) {
		number := strconv.FormatUint(n, 10)
		fields = append(fields, "p:"+number, "u:"+number)
	}
	return fields
}

func bucket(id string) string {
	return strconv.FormatUint(xxhash.Sum64String(id)%buckets, 10)
}
