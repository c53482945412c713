package client

import (
	"context"
	"net/http"
	"net/url"
)

// Scopes of API keys.
const (
	ScopeIngest = "ingest"
	ScopeRead   = "read"
)

// Login returns an access token. It is valid for minutes only.
func (c *Client) Login(ctx context.Context, email, password string) (token string, err error) {
	var tokens struct {
		AccessToken string `json:"access_token"`
	}
	_, err = c.post(ctx, "/auth/login", map[string]string{"email": email, "password": password}, &tokens)
	return tokens.AccessToken, err
}

// CreateKey returns a new API key. Repeated after a lost answer, it leaves another one behind, which nobody knows:
// RevokeKeys finds that as well.
func (c *Client) CreateKey(ctx context.Context, name string, scopes ...string) (key string, err error) {
	var created struct {
		Key string `json:"key"`
	}
	_, err = c.post(ctx, "/auth/api-keys", map[string]any{"name": name, "scopes": scopes}, &created)
	return created.Key, err
}

// RevokeKeys revokes every API key of the given name.
func (c *Client) RevokeKeys(ctx context.Context, name string) error {
	var keys struct {
		Items []struct {
			ID        string  `json:"id"`
			Name      string  `json:"name"`
			RevokedAt *string `json:"revoked_at"`
		} `json:"items"`
	}
	if err := c.get(ctx, "/auth/api-keys", nil, &keys); err != nil {
		return err
	}
	for _, key := range keys.Items {
		if key.Name != name || key.RevokedAt != nil {
			continue
		}
		if err := c.do(ctx, &call{method: http.MethodDelete, path: "/auth/api-keys/" + url.PathEscape(key.ID)}); err != nil {
			return err
		}
	}
	return nil
}
