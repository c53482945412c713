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
	// An admin may be a member of several projects, one of them made by an earlier demo.
	inDefault, err := a.client(login, client.WithProject("default"))
	if err != nil || a.options.Zone == "" {
		return inDefault, err
	}
	defer inDefault.CloseIdleConnections()
	slug := projectOf(a.options.Zone)
	if err := a.createProject(ctx, inDefault, slug); err != nil {
		return nil, err
	}
	return a.client(login, client.WithProject(slug))
}

// createProject creates the project of a zone unless an earlier demo has.
func (a *access) createProject(ctx context.Context, creator *client.Client, slug string) error {
	request := client.ProjectCreateRequest{Slug: slug, Name: "Demo in " + a.options.Zone, TimeZone: a.options.Zone}
	_, err := creator.CreateProject(ctx, request, client.Repeatable())
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
