package protocol

import (
	"strconv"

	"github.com/cespare/xxhash/v2"
)

// Version tokens invalidate cached answers. After each commit the aggregator sets the fields of the products and users that it
// changed to new random values. Analytics makes the tokens part of its cache keys, so older answers become unreachable. Tokens
// are random and not counters, because Redis may lose them: a counter that starts again would return to values that are still
// part of cache keys.
const (
	// VersionsKey names the Redis hash of all tokens; see redis.Client.Key.
	VersionsKey = "stats:versions"
	// TopField is the field of the token for rankings over all products.
	TopField = "top"
)

// buckets bounds the number of fields. The products, or users, of a bucket share a token. That invalidates a few more answers
// than necessary and never fewer.
const buckets = 256

// ProductField is the field of a product's token.
func ProductField(productID string) string { return "p:" + bucket(productID) }

// UserField is the field of a user's token.
func UserField(userID string) string { return "u:" + bucket(userID) }

// AllFields returns every possible field.
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
