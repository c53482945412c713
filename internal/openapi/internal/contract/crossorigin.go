package contract

// What pages of other origins may send to operations with x-cross-origin, and read of the answer. Services and gateways answer the same.
const (
	// AllowedHeaders are those of Segment's and RudderStack's libraries for browsers and of our tracker. Authorization is named, because
	// "*" does not stand for it.
	AllowedHeaders = "Authorization, Content-Type, Content-Encoding, X-Retry-Count, AnonymousId, SentAt, Rsa-Recovered, Rsa-Retry-Attempt, " +
		"Rsa-Since-Last-Attempt, Rsa-Since-First-Attempt, Rsa-Retry-Reason, X-Request-Id"
	// ExposedHeaders say when to send again.
	ExposedHeaders = "Retry-After, RateLimit, RateLimit-Policy, X-Request-Id"
	// PreflightMaxAge is how many seconds a browser remembers the answer to a preflight: two hours, the most that Chromium does.
	PreflightMaxAge = "7200"
)
