package main

import (
	"context"
	"fmt"
	"time"

	"github.com/hp-analytics/hp-analytics/client"
	"github.com/hp-analytics/hp-analytics/internal/openapi/apifuzz"
	"github.com/hp-analytics/hp-analytics/test/internal/deployment"
)

// platform is what is fuzzed.
type platform struct {
	*deployment.Deployment
	callers *callers
	pool    *apifuzz.Pool
}

// limits are lifted, so that requests reach what is behind them.
var limits = []string{
	"HTTP_ACCESS_LOG=none", "REGISTRATION=open", "ACCESS_TOKEN_TTL=24h", "LOGIN_LIMIT_ACCOUNT=1000000000", "LOGIN_LIMIT_ACCOUNT_TOTAL=1000000000",
	"LOGIN_LIMIT_ADDRESS=1000000000", "REGISTER_LIMIT_ADDRESS=1000000000", "REGISTER_LIMIT_REFUSED=1000000000", "REFRESH_LIMIT_ADDRESS=1000000000", "SHARE_LIMIT_ADDRESS=1000000000", "DIGEST_TEST_LIMIT=1000000000",
	"INGEST_USER_RATE_LIMIT=1000000000", "INGEST_HISTORY_LIMIT=1000000000", "ANALYTICS_COST_LIMIT=1000000000",
}

// otherProject is a project of which the foreigner has a key.
const otherProject = "other-of-fuzz"

// start starts the services and fills the platform with what requests name. Stop must be called even after an error.
func start(ctx context.Context, bin, dir string) (p *platform, err error) {
	p = &platform{pool: &apifuzz.Pool{}}
	if p.Deployment, err = deployment.Start(ctx, deployment.Config{Bin: bin, Dir: dir, Environ: limits}); err != nil {
		return p, err
	}
	for _, name := range []string{"catalog", "ingest", "analytics", "aggregator"} {
		if _, err := p.Launch(ctx, name); err != nil {
			return p, err
		}
	}
	if err := p.fill(ctx); err != nil {
		return p, fmt.Errorf("fill the platform: %w", err)
	}
	return p, nil
}

// fill creates products, an account and keys.
func (p *platform) fill(ctx context.Context) error {
	var products []client.ProductCreateRequest
	for i := range 20 {
		products = append(products, client.ProductCreateRequest{SKU: fmt.Sprintf("FUZZ-%02d", i), Name: "Fuzzed", PriceMinor: 100, Currency: "EUR"})
	}
	_, stored, err := p.Fill(ctx, products)
	if err != nil {
		return err
	}
	for _, product := range stored {
		p.pool.Add("sku", product.SKU)
		p.pool.Add("/products", product.ID.String())
	}
	for i := range 20 {
		p.pool.Add("/users", fmt.Sprintf("user_id-%d", i))
	}
	if p.callers, err = p.meet(ctx); err != nil {
		return err
	}
	return nil
}

// meet creates the callers.
func (p *platform) meet(ctx context.Context) (*callers, error) {
	auth := p.Service("auth").URL()
	admin, err := client.New(auth, client.WithLogin(deployment.AdminEmail, deployment.AdminPassword))
	if err != nil {
		return nil, err
	}
	defer admin.CloseIdleConnections()
	c := &callers{auth: auth, credentials: map[string]string{apifuzz.Nobody: ""}}
	for caller, scopes := range map[string][]client.Scope{
		apifuzz.IngestKey: {client.ScopeIngest}, apifuzz.ReadKey: {client.ScopeRead}, apifuzz.AdminKey: {client.ScopeAdmin}, apifuzz.Revoked: {client.ScopeAdmin},
	} {
		key, err := admin.CreateAPIKey(ctx, client.APIKeyCreateRequest{Name: caller, Scopes: scopes})
		if err != nil {
			return nil, err
		}
		c.credentials[caller] = "Bearer " + key.Key
		if caller == apifuzz.Revoked {
			if _, err := admin.RevokeAPIKey(ctx, key.ID); err != nil {
				return nil, err
			}
		}
	}
	for _, name := range []string{apifuzz.Guest, apifuzz.Spare} {
		if _, err := admin.Register(ctx, client.RegisterRequest{Email: name + "@example.com", Password: apifuzz.Passwords[0]}); err != nil {
			return nil, err
		}
	}
	if err := p.meetVictims(ctx, admin); err != nil {
		return nil, err
	}
	if err := p.meetForeigner(ctx, admin, c); err != nil {
		return nil, err
	}
	if err := p.meetExpired(ctx, c); err != nil {
		return nil, err
	}
	for caller, email := range map[string]string{apifuzz.Admin: deployment.AdminEmail, apifuzz.Guest: "guest@example.com", apifuzz.Spare: "spare@example.com"} {
		if err := c.login(ctx, auth, caller, email); err != nil {
			return nil, err
		}
	}
	token := c.credentials[apifuzz.Admin]
	c.credentials[apifuzz.Forged] = token[:len(token)-20] + "AAAAAAAAAAAAAAAAAAAA"
	return c, nil
}

// meetVictims creates accounts that requests of admins change, and logs them in.
func (p *platform) meetVictims(ctx context.Context, admin *client.Client) error {
	for i := range 4 {
		email := fmt.Sprintf("victim-%d@example.com", i)
		account, err := admin.Register(ctx, client.RegisterRequest{Email: email, Password: apifuzz.Passwords[0]})
		if err != nil {
			return err
		}
		p.pool.Add("/auth/users", account.ID.String())
		p.pool.Add(apifuzz.Emails, email)
		for range 2 {
			tokens, err := admin.Login(ctx, client.LoginRequest{Email: email, Password: apifuzz.Passwords[0]})
			if err != nil {
				return err
			}
			p.pool.Add(apifuzz.RefreshTokens, tokens.RefreshToken)
		}
	}
	return nil
}

// meetForeigner creates a project and a key that may do everything in it.
func (p *platform) meetForeigner(ctx context.Context, admin *client.Client, c *callers) error {
	if _, err := admin.CreateProject(ctx, client.ProjectCreateRequest{Slug: otherProject, Name: "Other"}); err != nil {
		return err
	}
	other, err := client.New(c.auth, client.WithLogin(deployment.AdminEmail, deployment.AdminPassword), client.WithProject(otherProject))
	if err != nil {
		return err
	}
	defer other.CloseIdleConnections()
	key, err := other.CreateAPIKey(ctx, client.APIKeyCreateRequest{Name: "foreigner", Scopes: []client.Scope{client.ScopeIngest, client.ScopeRead, client.ScopeAdmin}})
	if err != nil {
		return err
	}
	c.credentials[apifuzz.Foreigner] = "Bearer " + key.Key
	return nil
}

// meetExpired logs in at an auth that issues short tokens, and waits until the token has expired.
func (p *platform) meetExpired(ctx context.Context, c *callers) error {
	brief, err := p.Launch(ctx, "auth", "ACCESS_TOKEN_TTL=1s")
	if err != nil {
		return err
	}
	if err := c.login(ctx, brief.URL(), apifuzz.Expired, deployment.AdminEmail); err != nil {
		return err
	}
	if err := brief.Stop(); err != nil {
		return err
	}
	expired := time.NewTimer(7 * time.Second) // services allow clocks to differ by five
	defer expired.Stop()
	select {
	case <-expired.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
