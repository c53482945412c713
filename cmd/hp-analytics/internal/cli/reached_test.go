package cli

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A demo says what it waits for, and gives up.
func TestNothingListens(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	var out strings.Builder
	err := environment{stdout: &out}.awaitPlatform(t.Context(), server.URL, 50*time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "gave up after 50ms: nothing answers at "+server.URL+" (--url names the platform)") {
		t.Errorf("the error is %v", err)
	}
	if want := "Waiting up to 50ms for a platform at " + server.URL; strings.Count(out.String(), want) != 1 {
		t.Errorf("no %q, once, in: %s", want, out.String())
	}
}

// A platform that starts beside the demo is waited for.
func TestAPlatformThatStarts(t *testing.T) {
	t.Parallel()
	var requests atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if requests.Add(1) == 1 {
			panic(http.ErrAbortHandler)
		}
	}))
	defer server.Close()
	var out strings.Builder
	if err := (environment{stdout: &out}).awaitPlatform(t.Context(), server.URL, time.Minute); err != nil || requests.Load() != 2 {
		t.Errorf("%v after %d requests: %s", err, requests.Load(), out.String())
	}
}
