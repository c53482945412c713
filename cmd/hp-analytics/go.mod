module github.com/hp-analytics/hp-analytics/cmd/hp-analytics

go 1.26.0

require (
	github.com/hp-analytics/hp-analytics/internal/openapi v0.0.0
	github.com/hp-analytics/hp-analytics/internal/platform v0.0.0
	github.com/hp-analytics/hp-analytics/migrations v0.0.0
	github.com/hp-analytics/hp-analytics/services/aggregator v0.0.0
	github.com/hp-analytics/hp-analytics/services/analytics v0.0.0
	github.com/hp-analytics/hp-analytics/services/auth v0.0.0
	github.com/hp-analytics/hp-analytics/services/catalog v0.0.0
	github.com/hp-analytics/hp-analytics/services/ingest v0.0.0
)

replace github.com/hp-analytics/hp-analytics/internal/platform => ../../internal/platform

replace github.com/hp-analytics/hp-analytics/internal/openapi => ../../internal/openapi

replace github.com/hp-analytics/hp-analytics/migrations => ../../migrations

replace github.com/hp-analytics/hp-analytics/services/auth => ../../services/auth

replace github.com/hp-analytics/hp-analytics/services/catalog => ../../services/catalog

replace github.com/hp-analytics/hp-analytics/services/ingest => ../../services/ingest

replace github.com/hp-analytics/hp-analytics/services/analytics => ../../services/analytics

replace github.com/hp-analytics/hp-analytics/services/aggregator => ../../services/aggregator
