package httpserver_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// brokenWriter is the connection of a client that hung up.
type brokenWriter struct{ http.ResponseWriter }

// Write implements http.ResponseWriter.
func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

// A response that the handler gives up counts as the client's if the client hung up, and as ours otherwise.
func TestWhoseFaultAnAbortedResponseIs(t *testing.T) {
	t.Parallel()
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	for name, test := range map[string]struct {
		w      http.ResponseWriter
		ctx    context.Context
		status string
	}{
		"the client takes nothing": {brokenWriter{httptest.NewRecorder()}, t.Context(), `"status":499`},
		"the client hung up":       {httptest.NewRecorder(), gone, `"status":499`},
		"the rows cannot be read":  {httptest.NewRecorder(), t.Context(), `"status":500`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, nil)
			f.Get("/stream", func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, "half an ans")
				panic(http.ErrAbortHandler)
			})
			func() {
				defer func() {
					if cause, _ := recover().(error); !errors.Is(cause, http.ErrAbortHandler) {
						t.Errorf("the connection is not aborted: %v", cause)
					}
				}()
				f.ServeHTTP(test.w, httptest.NewRequestWithContext(test.ctx, http.MethodGet, "/stream", nil))
			}()
			metrics := f.do(http.MethodGet, "/metrics").Body.String()
			label := strings.NewReplacer(`"status":`, `status="`).Replace(test.status) + `"`
			if !strings.Contains(f.log.String(), test.status) || !strings.Contains(metrics, label) {
				t.Errorf("no %s in the log, or no %s in the metrics: %s", test.status, label, f.log)
			}
		})
	}
}
