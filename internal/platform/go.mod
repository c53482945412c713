module github.com/hp-analytics/hp-analytics/internal/platform

go 1.26.0

