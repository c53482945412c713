module github.com/hp-analytics/hp-analytics/test/cluster

go 1.26.0
