// Code generated from openapi.yaml by internal/openapi/internal/routes. DO NOT EDIT.

package host

// segments are the first path segments that each service answers.
var segments = map[string][]string{
	"auth":      {"alerts", "annotations", "auth", "digests", "views"},
	"catalog":   {"products"},
	"ingest":    {"cloudevents", "erasures", "events", "exports", "hooks", "imports", "orders", "otlp", "plausible", "posthog", "purchases", "refunds", "rejections", "segment", "users"},
	"analytics": {"analytics", "system"},
}
