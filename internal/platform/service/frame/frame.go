// Package frame is the common part of the services: connections, token verification, readiness checks, router, and the
// order in which all of that starts and stops. A service adds its operations, its own checks and its background work.
//
// It is not part of package service, because not everything that a process hosts uses Postgres.
package frame

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
	goredis "github.com/redis/go-redis/v9"

	"github.com/hp-analytics/hp-analytics/internal/platform/admission"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/platform/redis"
	"github.com/hp-analytics/hp-analytics/internal/platform/service"
)

// Spec says what a service needs from the frame.
type Spec struct {
	Name          string             // of the client, in the session lists of Postgres and Redis
	Role          string             // database role that connections act as
	SchemaVersion uint               // the service is unready while the database schema is older than this
	Settings      []postgres.Setting // of every database connection
	ReadsOnly     bool               // the service writes nothing, so it also works with a primary that refuses writes
	Tokens        *authn.Config      // where to fetch the keys that verify access tokens; nil: the service needs no Verifier
	ShareLinks    bool               // the Verifier accepts the keys of share links
	Hooks         bool               // the Verifier accepts the keys of webhooks
}

// Frame is what a service is built from: what the process hands out, and the connections. Nothing is connected yet, so a
// service can start before Postgres, Redis and the issuer of access tokens.
type Frame struct {
	service.Deps
	Pool     *pgxpool.Pool
	Redis    *redis.Client
	Verifier *authn.Verifier // nil without Spec.Tokens

	http      httpserver.Config
	admission admission.Config
	spec      Spec
}

// Open makes a frame. Its connections are closed by the service that Service returns.
func Open(ctx context.Context, cfg Config, deps service.Deps, spec Spec) (*Frame, error) {
	if cfg.Baseline {
		deps.Logger.WarnContext(ctx, "the caches are off: PERFORMANCE_BASELINE is set, which is for measurements only")
	}
	client, err := redis.Open(cfg.Redis, spec.Name)
	if err != nil {
		return nil, err
	}
	cfg.Postgres.ReadsOnly = spec.ReadsOnly
	pool, err := postgres.Open(ctx, cfg.Postgres, spec.Role, spec.Name, deps.TracerProvider, spec.Settings...)
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	deps.Registerer.MustRegister(postgres.NewPoolCollector(pool), redis.NewPoolCollector(client))
	shared := redis.NewClient(client, cfg.Redis, postgres.Identity(pool))
	f := &Frame{Deps: deps, Pool: pool, Redis: shared, http: cfg.HTTP, admission: cfg.Admission, spec: spec}
	if spec.Tokens != nil {
		f.Verifier = authn.NewVerifier(*spec.Tokens, authn.NewPostgres(pool), deps.Logger)
		if spec.ShareLinks {
			f.Verifier.AcceptLinks(authn.NewLinks(pool))
		}
		if spec.Hooks {
			f.Verifier.AcceptHooks(authn.NewHooks(pool))
		}
	}
	return f, nil
}

// NewSlots returns the limit of the requests that the service works on, for edge.Options; nil if there is none.
func (f *Frame) NewSlots() *admission.Limiter {
	return admission.New(f.admission, f.Logger, f.Registerer)
}

// close closes the connections. It waits for those in use.
func (f *Frame) close() error {
	f.Pool.Close()
	if err := f.Redis.Close(); err != nil && !errors.Is(err, goredis.ErrClosed) {
		return fmt.Errorf("close Redis: %w", err)
	}
	return nil
}
