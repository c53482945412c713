// Command catalog runs the catalog service.
package main

import (
	"os"

	"github.com/hp-analytics/hp-analytics/internal/platform/service"
	"github.com/hp-analytics/hp-analytics/services/catalog"
)

func main() {
	os.Exit(service.Main("catalog", os.Args[1:], os.Environ(), os.Stdout, os.Stderr, catalog.New))
}
