// Package auth is the service for identities: accounts, access tokens and the keys that verify them, refresh tokens, API
// keys. It also serves the dashboard, whose pages keep their session in a cookie of this service.
//
// A request passes internal/openapi/edge (authentication, access, rate limits, validation) and internal/api. internal/account
// holds the rules, and internal/password, internal/token and internal/postgres do the work.
package auth

import (
	"context"
	"net"
	"net/netip"

	"github.com/hp-analytics/hp-analytics/internal/openapi"
	"github.com/hp-analytics/hp-analytics/internal/openapi/edge"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/lifecycle"
	"github.com/hp-analytics/hp-analytics/internal/platform/service"
	"github.com/hp-analytics/hp-analytics/internal/platform/service/frame"
	"github.com/hp-analytics/hp-analytics/migrations"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/api"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/keyring"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/password"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/token"
	"github.com/hp-analytics/hp-analytics/web"
	"github.com/hp-analytics/hp-analytics/web/tracker"
)

// New builds the service. It opens no connection yet.
func New(ctx context.Context, cfg Config, deps service.Deps) (service.Service, error) {
	// Without Tokens: the service verifies access tokens with the keys that it signs them with.
	f, err := frame.Open(ctx, cfg.Config, deps, frame.Spec{Name: "auth", Role: "hp_auth", SchemaVersion: migrations.Latest()})
	if err != nil {
		return nil, err
	}
	store := postgres.Store{Pool: f.Pool}
	ring := keyring.New(func(ctx context.Context) ([]token.SigningKey, error) {
		return store.SigningKeys(ctx, cfg.SigningKeyMaxAge, cfg.AccessTTL)
	}, f.Logger)
	verifier := authn.NewLocalVerifier(ring, authn.NewPostgres(f.Pool))
	limits, attempts, closeLimits := newLimits(cfg, f)
	server := &api.Server{
		Store: store, Hasher: password.NewHasher(), Ring: ring,
		AccessTTL: cfg.AccessTTL, RefreshTTL: cfg.RefreshTTL, RefreshGrace: cfg.RefreshGrace, SessionMaxAge: cfg.SessionMaxAge, Logger: f.Logger, Attempts: attempts,
		Registration: cfg.Registration, TestLimit: cfg.DigestTestLimit,
	}
	if cfg.Registration == api.RegistrationOpen && !local(cfg.HTTP.Addr) {
		f.Logger.WarnContext(ctx, "registration is open to everybody who reaches this address; REGISTRATION=invite asks for an invitation",
			"addr", cfg.HTTP.Addr)
	}
	return f.Service(frame.Parts{
		Mount: func(router *httpserver.Router) error {
			openapi.Mount(router)
			web.Mount(router)
			tracker.Mount(router)
			return edge.Mount(router, "auth", edge.Options{Authenticator: verifier, Slots: f.NewSlots(), Limits: limits}, server.Mount)
		},
		Checks: []httpserver.Check{{Name: "signing_key", Run: ring.Ready}},
		Background: []lifecycle.Component{
			lifecycle.OnStop("rate limits", closeLimits),
			lifecycle.Loop("signing keys", ring.Run),
			lifecycle.Loop("token verifier", verifier.Run),
			pruning(store, cfg.AuditRetention, f.Logger),
		},
	})
}

// local reports whether only this host reaches a listen address.
func local(addr string) bool {
	host, _, _ := net.SplitHostPort(addr)
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}
