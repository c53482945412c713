module github.com/hp-analytics/hp-analytics/internal/openapi

go 1.26.0

require github.com/hp-analytics/hp-analytics/internal/platform v0.0.0

replace github.com/hp-analytics/hp-analytics/internal/platform => ../platform
