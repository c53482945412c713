package protocol

import (
	"slices"
	"strconv"
)

// Version tokens invalidate cached answers. After each commit the aggregator sets the fields of the products and users that it
// changed to new random values. Analytics makes the tokens part of its cache keys, so older answers become unreachable. Tokens
// are random and not counters, because Redis may lose them: a counter that starts again would return to values that are still
// part of cache keys.
const (
	// VersionsKey names the Redis hash of all tokens; see redis.Client.Key.
	VersionsKey = "stats:versions"
	// buckets bounds the number of fields. The projects, products or users of a bucket share a token. That invalidates a few
	// more answers than necessary and never fewer.
	buckets = 256
)

// The fields of all buckets. A fold looks one up for each product and user that it changes.
var (
	projectFields = fields("j:")
	productFields = fields("p:")
	userFields    = fields("u:")
)

func fields(prefix string) (all [buckets]string) {
	for n := range all {
		all[n] = prefix + strconv.Itoa(n)
	}
	return all
}

// ProjectField is the field of the token for what is counted over all products of a project.
func ProjectField(project int16) string { return projectFields[uint16(project)%buckets] }

// ProductField is the field of a product's token, by its number.
func ProductField(product int32) string { return productFields[uint32(product)%buckets] }

// UserField is the field of a user's token, by its number.
func UserField(user int64) string { return userFields[uint64(user)%buckets] }

// AllFields returns every possible field.
func AllFields() []string {
	return slices.Concat(projectFields[:], productFields[:], userFields[:])
}
