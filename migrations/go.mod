module github.com/hp-analytics/hp-analytics/migrations

go 1.26.0

