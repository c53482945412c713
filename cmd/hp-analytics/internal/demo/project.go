package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/hp-analytics/hp-analytics/client"
	"github.com/hp-analytics/hp-analytics/internal/localtime"
)

// admin returns a client of the admin, who acts in the demo's project.
func (a *access) admin(ctx context.Context) (*client.Client, error) {
	login := client.WithLogin(a.options.Email, a.options.Password)
	if a.options.Zone == "" {
		return a.client(login)
	}
	slug := projectOf(a.options.Zone)
	admin, err := a.client(login, client.WithProject(slug))
	if err != nil {
		return nil, err
	}
	if err := a.createProject(ctx, slug); err != nil {
		admin.CloseIdleConnections()
		return nil, err
	}
	return admin, nil
}

// createProject creates the project of a zone unless an earlier demo has. It calls without a project, which does not exist yet.
func (a *access) createProject(ctx context.Context, slug string) error {
	creator, err := a.client(client.WithLogin(a.options.Email, a.options.Password))
	if err != nil {
		return err
	}
	defer creator.CloseIdleConnections()
	_, err = creator.CreateProject(ctx, client.ProjectCreateRequest{Slug: slug, Name: "Demo in " + a.options.Zone, TimeZone: a.options.Zone}, client.Repeatable())
	if refusal, ok := errors.AsType[*client.Error](err); ok && refusal.Status == http.StatusConflict {
		return nil
	}
	return err
}

// projectOf returns the name of the demo's project in a zone: demo-europe-berlin.
func projectOf(zone string) string {
	return "demo-" + strings.NewReplacer("/", "-", "_", "-", "+", "-plus-").Replace(strings.ToLower(zone))
}

// zoneOf returns the time zone of the project in which a client acts.
func zoneOf(ctx context.Context, key *client.Client) (*time.Location, error) {
	top, err := key.TopProducts(ctx, &client.TopProductsParams{Limit: 1})
	if err != nil {
		return nil, err
	}
	zone, err := localtime.Load(top.Meta.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("the zone of the project: %w", err)
	}
	return zone, nil
}
