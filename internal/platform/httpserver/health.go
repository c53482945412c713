package httpserver

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/reply"
)

// checkTimeout bounds one readiness check. Probes usually give up after a few seconds.
const checkTimeout = 2 * time.Second

// readyFor is how long a result of the checks is given to those who ask.
const readyFor = time.Second

// Check is one condition of readiness.
type Check struct {
	Name string
	Run  func(ctx context.Context) error
	// Optional checks appear in the answer but do not make the service unready.
	Optional bool
}

// Health answers the liveness and readiness probes.
type Health struct {
	logger   *slog.Logger
	checks   []Check
	draining atomic.Bool

	probe  chan struct{} // full during the checks for /ready, so that probes that arrive meanwhile share their result
	recent struct {
		at     time.Time
		answer Readiness
		ready  bool
	}

	mu      sync.Mutex
	failing map[string]bool // by check, as last logged
}

// NewHealth returns a Health with the given checks.
func NewHealth(logger *slog.Logger, checks ...Check) *Health {
	return &Health{logger: logger, checks: checks, failing: map[string]bool{}, probe: make(chan struct{}, 1)}
}

// Drain makes the service unready for good. Call it when the process is about to stop.
func (h *Health) Drain() { h.draining.Store(true) }

// Readiness is the body of /ready.
type Readiness struct {
	Status string            `json:"status"` // ready, unready or draining
	Checks map[string]string `json:"checks"` // ok, unavailable, or degraded for a failed optional check
}

// Ready runs all checks concurrently. The answer only says which check failed. The error is logged once when a check starts
// to fail, and its recovery once, because probes arrive every few seconds.
func (h *Health) Ready(ctx context.Context) (Readiness, bool) {
	if h.draining.Load() {
		return Readiness{Status: "draining", Checks: map[string]string{}}, false
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	results := make([]error, len(h.checks))
	var wg sync.WaitGroup
	for i, check := range h.checks {
		wg.Go(func() { results[i] = check.Run(ctx) })
	}
	wg.Wait()

	answer, ready := Readiness{Status: "ready", Checks: make(map[string]string, len(h.checks))}, true
	for i, check := range h.checks {
		switch {
		case results[i] == nil:
			answer.Checks[check.Name] = "ok"
		case check.Optional:
			answer.Checks[check.Name] = "degraded"
		default:
			answer.Checks[check.Name] = "unavailable"
			answer.Status, ready = "unready", false
		}
		h.logChange(ctx, check, results[i])
	}
	return answer, ready
}

// logChange logs the outcome of a check if it differs from the previous one.
func (h *Health) logChange(ctx context.Context, check Check, err error) {
	h.mu.Lock()
	changed := h.failing[check.Name] != (err != nil)
	h.failing[check.Name] = err != nil
	h.mu.Unlock()
	switch {
	case !changed:
	case err != nil:
		h.logger.WarnContext(ctx, "readiness check fails", "check", check.Name, "optional", check.Optional, "err", err)
	default:
		h.logger.InfoContext(ctx, "readiness check passes again", "check", check.Name)
	}
}

// livePath is where the liveness probe asks.
const livePath = "/health"

// liveAnswer is what it gets.
var liveAnswer = reply.New([]byte(`{"status":"ok"}`+"\n"), reply.Options{CacheControl: "no-store", Untagged: true})

// ServeLive answers GET /health with 200: a process that can answer is alive.
func (h *Health) ServeLive(w http.ResponseWriter, r *http.Request) { liveAnswer.Write(w, r.Header) }

// shared is Ready, at most once in readyFor, however many ask. A result does not depend on whether the one who asked first
// waits for it.
func (h *Health) shared(ctx context.Context) (Readiness, bool) {
	h.probe <- struct{}{}
	defer func() { <-h.probe }()
	if h.recent.at.IsZero() || time.Since(h.recent.at) >= readyFor || h.draining.Load() {
		h.recent.answer, h.recent.ready = h.Ready(context.WithoutCancel(ctx))
		h.recent.at = time.Now()
	}
	return h.recent.answer, h.recent.ready
}

// ServeReady answers GET /ready: 200 when every required check passes, else 503. The checks query databases, and anybody may
// ask, so a result is shared for a second.
func (h *Health) ServeReady(w http.ResponseWriter, r *http.Request) {
	answer, ready := h.shared(r.Context())
	status := http.StatusOK
	if !ready {
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "1")
	}
	writeProbe(w, status, answer)
}

func writeProbe(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the prober may have disconnected
}
