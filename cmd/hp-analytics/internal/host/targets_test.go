package host

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	t.Parallel()
	all := []string{"aggregator", "analytics", "auth", "catalog", "ingest"}
	for list, want := range map[string][]string{
		"all":             all,
		"ingest":          {"ingest"},
		"ingest, auth":    {"auth", "ingest"},
		"auth,auth":       {"auth"},
		"ingest,all":      all,
		"":                nil,
		"web":             nil,
		"auth,":           nil,
		"auth,aggregater": nil,
	} {
		got, err := Parse(list)
		if diff := cmp.Diff(want, got); diff != "" || (err == nil) != (want != nil) {
			t.Errorf("%q: %v (-want +got):\n%s", list, err, diff)
		}
	}
}

// TestCheck checks that a problem that several services share is reported once, and that a problem of a single service is
// reported too.
func TestCheck(t *testing.T) {
	t.Parallel()
	names, err := Parse(All)
	if err != nil {
		t.Fatal(err)
	}
	environ := []string{
		"DATABASE_URL=postgres://localhost/x", "REDIS_URL=redis://localhost",
		"DATABASE_CONNECT_TIMEOUT=-1s", "INGEST_DATABASE_MAX_CONNS=1",
	}
	err = Check(t.Context(), names, environ)
	if err == nil || strings.Count(err.Error(), "DATABASE_CONNECT_TIMEOUT:") != 1 || !strings.Contains(err.Error(), "DATABASE_MAX_CONNS:") {
		t.Errorf("problems: %v", err)
	}
	if err := Check(t.Context(), names, environ[:2]); err != nil {
		t.Errorf("a valid configuration: %v", err)
	}
}
