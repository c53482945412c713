package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/golang-jwt/jwt/v5"
	"github.com/hibiken/asynq"
	"github.com/jackc/pgx/v5/pgxpool"
)

// event is the body of POST /events.
type event struct {
	ProductID  int64           `json:"product_id"`
	EventType  string          `json:"event_type"`
	TS         time.Time       `json:"ts"`
	Properties json.RawMessage `json:"properties"`
}

const (
	maxBody = 5 << 20
	maxBulk = 1000
)

// errInvalid says that a request is invalid.
var errInvalid = errors.New("invalid")

type api struct {
	db     *pgxpool.Pool
	tasks  *asynq.Client
	secret []byte
}

func (a api) routes() http.Handler {
	r := chi.NewRouter()
	r.Use(middleware.RequestID, middleware.Recoverer)
	r.Get("/health", func(http.ResponseWriter, *http.Request) {})
	r.Post("/events", a.handle(func(ctx context.Context, user int64, body *json.Decoder) (int, error) {
		var e event
		if err := body.Decode(&e); err != nil {
			return 0, fmt.Errorf("%w: %w", errInvalid, err)
		}
		return 1, a.store(ctx, user, e)
	}))
	r.Post("/events/bulk", a.handle(func(ctx context.Context, user int64, body *json.Decoder) (int, error) {
		var bulk struct {
			Events []event `json:"events"`
		}
		if err := body.Decode(&bulk); err != nil || len(bulk.Events) > maxBulk {
			return 0, fmt.Errorf("%w: %w", errInvalid, err)
		}
		for _, e := range bulk.Events {
			if err := a.store(ctx, user, e); err != nil {
				return 0, err
			}
		}
		return len(bulk.Events), nil
	}))
	return r
}

// handle authenticates the caller and writes the answer.
func (a api) handle(do func(ctx context.Context, user int64, body *json.Decoder) (int, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		user, err := a.user(r)
		if err != nil {
			http.Error(w, `{"error":"unauthenticated"}`, http.StatusUnauthorized)
			return
		}
		accepted, err := do(r.Context(), user, json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)))
		switch {
		case errors.Is(err, errInvalid):
			http.Error(w, `{"error":"invalid"}`, http.StatusBadRequest)
		case err != nil:
			http.Error(w, `{"error":"internal"}`, http.StatusInternalServerError)
		default:
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusAccepted)
			_ = json.NewEncoder(w).Encode(map[string]any{"status": "accepted", "accepted": accepted})
		}
	}
}

func (a api) user(r *http.Request) (int64, error) {
	var claims jwt.RegisteredClaims
	key := func(*jwt.Token) (any, error) { return a.secret, nil }
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if _, err := jwt.ParseWithClaims(token, &claims, key, jwt.WithValidMethods([]string{"HS256"})); err != nil {
		return 0, fmt.Errorf("verify a token: %w", err)
	}
	return strconv.ParseInt(claims.Subject, 10, 64)
}

// store inserts one event and enqueues a task for it.
func (a api) store(ctx context.Context, user int64, e event) error {
	if !slices.Contains([]string{"view", "click", "add_to_cart"}, e.EventType) {
		return fmt.Errorf("%w: type %q", errInvalid, e.EventType)
	}
	if e.TS.IsZero() {
		e.TS = time.Now()
	}
	if e.Properties == nil {
		e.Properties = json.RawMessage(`{}`)
	}
	job := job{UserID: user, ProductID: e.ProductID, EventType: e.EventType, TS: e.TS}
	err := a.db.QueryRow(ctx, `
		INSERT INTO events (user_id, product_id, event_type, ts, properties) VALUES ($1, $2, $3, $4, $5) RETURNING id`,
		user, e.ProductID, e.EventType, e.TS, e.Properties).Scan(&job.ID)
	if err != nil {
		return fmt.Errorf("insert an event: %w", err)
	}
	payload, err := json.Marshal(job)
	if err != nil {
		return fmt.Errorf("encode a job: %w", err)
	}
	if _, err := a.tasks.EnqueueContext(ctx, asynq.NewTask(jobType, payload), asynq.Queue(queue)); err != nil {
		return fmt.Errorf("enqueue a job: %w", err)
	}
	return nil
}

// bare decodes a request of a single event and discards it, and answers every request for a product with body.
func bare(body []byte) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /products/{id}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	})
	mux.HandleFunc("POST /events", func(w http.ResponseWriter, r *http.Request) {
		var event map[string]any
		if err := json.NewDecoder(r.Body).Decode(&event); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusAccepted)
		_, _ = w.Write([]byte("{}"))
	})
	return mux
}
