// Command aggregator runs the aggregator service.
package main

import (
	"os"

	"github.com/hp-analytics/hp-analytics/internal/platform/service"
	"github.com/hp-analytics/hp-analytics/services/aggregator"
)

func main() {
	os.Exit(service.Main("aggregator", os.Args[1:], os.Environ(), os.Stdout, os.Stderr, aggregator.New))
}
