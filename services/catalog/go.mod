module github.com/hp-analytics/hp-analytics/services/catalog

go 1.26.0

require (
	github.com/hp-analytics/hp-analytics/internal/openapi v0.0.0
	github.com/hp-analytics/hp-analytics/internal/platform v0.0.0
	github.com/hp-analytics/hp-analytics/migrations v0.0.0
)

replace github.com/hp-analytics/hp-analytics/internal/platform => ../../internal/platform

replace github.com/hp-analytics/hp-analytics/internal/openapi => ../../internal/openapi

replace github.com/hp-analytics/hp-analytics/migrations => ../../migrations
