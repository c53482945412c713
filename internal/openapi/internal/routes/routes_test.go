package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/openapi"
	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
)

func load(t *testing.T, source string) *contract.Contract {
	t.Helper()
	c, err := contract.Parse([]byte(source))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestFilesAreCurrent compares the generated files with what a run would write.
func TestFilesAreCurrent(t *testing.T) {
	t.Parallel()
	routes, err := routesOf(load(t, openapi.Source()))
	if err != nil {
		t.Fatal(err)
	}
	for path, render := range files {
		old, err := os.ReadFile(filepath.Join("../../../..", path))
		if err != nil {
			t.Fatal(err)
		}
		text, err := render(string(old), routes)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if diff := cmp.Diff(text, string(old)); diff != "" {
			t.Errorf("%s is out of date, run make generate (-want +got):\n%s", path, diff)
		}
	}
}

// TestNewRoute adds a path to the contract: every gateway gets it.
func TestNewRoute(t *testing.T) {
	t.Parallel()
	source := strings.Replace(openapi.Source(), "\n  /products:\n", "\n  /prices:\n", 1)
	routes, err := routesOf(load(t, source))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"Go":        goSource(routes),
		"template":  chartTemplate(routes),
		"ingress":   ingressTest(routes),
		"httproute": httpRouteTest(routes),
		"docs":      sentence(routes),
		"nginx":     nginx(routes),
	} {
		if !strings.Contains(text, "prices") {
			t.Errorf("%s has no route to /prices:\n%s", name, text)
		}
		if strings.Contains(text, "metrics") && name != "template" {
			t.Errorf("%s has a route to /metrics:\n%s", name, text)
		}
	}
}

func TestOneSegmentBelongsToOneService(t *testing.T) {
	t.Parallel()
	source := strings.Replace(openapi.Source(), "\n  /analytics/products/top:\n", "\n  /products/top:\n", 1)
	if _, err := routesOf(load(t, source)); err == nil || !strings.Contains(err.Error(), "/products is routed to") {
		t.Errorf("an operation of analytics under /products: %v", err)
	}
}

func TestRegion(t *testing.T) {
	t.Parallel()
	change := region("x", func(*table) string { return "new\n" })
	const want = "a\n  # generated from openapi.yaml (x): begin, by hand\nnew\n  # generated from openapi.yaml (x): end\nb\n"
	got, err := change(strings.Replace(want, "new\n", "old\nlines\n", 1), nil)
	if err != nil || got != want {
		t.Errorf("%v, got:\n%s", err, got)
	}
	for _, broken := range []string{"a\n", "# generated from openapi.yaml (x): begin\n"} {
		if _, err := change(broken, nil); err == nil {
			t.Errorf("%q is not refused", broken)
		}
	}
}

// Readers of a shared report, who may be many behind one address, do not use up what its logins may do.
func TestOperationsThatNeedAPassword(t *testing.T) {
	t.Parallel()
	routes, err := routesOf(load(t, openapi.Source()))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range routes.routes {
		got = append(got, r.passwords...)
	}
	if diff := cmp.Diff([]string{"/auth/login", "/auth/password", "/auth/register"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
