// Command analytics runs the analytics service.
package main

import (
	"os"

	"github.com/hp-analytics/hp-analytics/internal/platform/service"
	"github.com/hp-analytics/hp-analytics/services/analytics"
)

func main() {
	os.Exit(service.Main("analytics", os.Args[1:], os.Environ(), os.Stdout, os.Stderr, analytics.New))
}
