// Command auth runs the auth service.
package main

import (
	"os"

	"github.com/hp-analytics/hp-analytics/internal/platform/service"
	"github.com/hp-analytics/hp-analytics/services/auth"
)

func main() {
	os.Exit(service.Main("auth", os.Args[1:], os.Environ(), os.Stdout, os.Stderr, auth.New))
}
