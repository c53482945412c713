package protocol

import "strconv"

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

// ProjectField is the field of the token for what is counted over all products of a project.
func ProjectField(project int16) string { return "j:" + bucket(int64(project)) }

// ProductField is the field of a product's token, by its number.
func ProductField(product int32) string { return "p:" + bucket(int64(product)) }

// UserField is the field of a user's token, by its number.
func UserField(user int64) string { return "u:" + bucket(user) }

// AllFields returns every possible field.
func AllFields() []string {
	var fields []string
	for n := range int64(buckets) {
		fields = append(fields, "j:"+bucket(n), "p:"+bucket(n), "u:"+bucket(n))
	}
	return fields
}

func bucket(n int64) string { return strconv.FormatInt(n%buckets, 10) }
