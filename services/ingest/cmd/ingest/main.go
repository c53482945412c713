// Command ingest runs the ingest service.
package main

import (
	"os"

	"github.com/hp-analytics/hp-analytics/internal/platform/service"
	"github.com/hp-analytics/hp-analytics/services/ingest"
)

func main() {
	os.Exit(service.Main("ingest", os.Args[1:], os.Environ(), os.Stdout, os.Stderr, ingest.New))
}
