module github.com/hp-analytics/hp-analytics/services/catalog

go 1.26.0

require (
	github.com/hp-analytics/hp-analytics/internal/openapi v0.0.0
	github.com/hp-analytics/hp-analytics/internal/platform v0.0.0
	github.com/hp-analytics/hp-analytics/migrations v0.0.0
)

require (
	github.com/apapsch/go-jsonmerge/v2 v2.0.0 // indirect
	github.com/go-chi/chi/v5 v5.5.0 // indirect
	github.com/google/go-cmp v0.7.0 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/jackc/pgpassfile v1.0.0 // indirect
	github.com/jackc/pgservicefile v0.0.0-20240606120523-5a60cdf6a761 // indirect
	github.com/jackc/pgx/v5 v5.12.0 // indirect
	github.com/oapi-codegen/nullable v1.1.0 // indirect
	github.com/oapi-codegen/runtime v1.8.0 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/text v0.42.0 // indirect
)

replace github.com/hp-analytics/hp-analytics/internal/platform => ../../internal/platform

replace github.com/hp-analytics/hp-analytics/internal/openapi => ../../internal/openapi

replace github.com/hp-analytics/hp-analytics/migrations => ../../migrations
