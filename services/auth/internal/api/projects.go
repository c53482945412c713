package api

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/project"
)

// maxOwnProjects is how many memberships GET /auth/me lists.
const maxOwnProjects = 100

var errStaleProject = errs.New(errs.Stale, "stale_version", "The project has changed; read it again.")

// ListProjects implements StrictServerInterface.
func (s *Server) ListProjects(ctx context.Context, request ListProjectsRequestObject) (ListProjectsResponseObject, error) {
	a, limit, after := callerOf(ctx), pageLimit(request.Params.Limit), ""
	if request.Params.Cursor != nil {
		after = *request.Params.Cursor
	}
	projects, err := s.Store.Projects(ctx, a.ID, a.Role == authn.Admin, after, limit+1) // one more tells whether there is a next page
	if err != nil {
		return nil, err
	}
	list := ProjectList{Items: make([]ProjectDetails, 0, len(projects))}
	if len(projects) > limit {
		projects = projects[:limit]
		list.NextCursor = &projects[limit-1].Slug
	}
	for _, p := range projects {
		if a.Role == authn.Admin {
			p.Role = authn.Owner
		}
		list.Items = append(list.Items, projectAnswer(p))
	}
	return ListProjects200JSONResponse(list), nil
}

// CreateProject implements StrictServerInterface.
func (s *Server) CreateProject(ctx context.Context, request CreateProjectRequestObject) (CreateProjectResponseObject, error) {
	body := request.Body
	settings, err := project.Defaults(body.Name).Apply(project.Change{
		TimeZone: body.TimeZone, Currency: body.Currency, WeekStart: body.WeekStart,
		MaxEventAgeDays: &body.MaxEventAgeDays, EventsPerSecond: &body.EventsPerSecond,
	})
	if err != nil {
		return nil, err
	}
	p, err := s.store(ctx).CreateProject(ctx, body.Slug, settings)
	if err != nil {
		return nil, err
	}
	return CreateProject201JSONResponse{
		Body: projectAnswer(p), Headers: CreateProject201ResponseHeaders{ETag: etag(p), Location: "/auth/projects/" + p.Slug},
	}, nil
}

// GetProject implements StrictServerInterface.
func (s *Server) GetProject(ctx context.Context, request GetProjectRequestObject) (GetProjectResponseObject, error) {
	p, err := s.Store.Project(ctx, request.Project)
	if err != nil {
		return nil, err
	}
	p.Role = roleIn(ctx)
	return GetProject200JSONResponse{Body: projectAnswer(p), Headers: GetProject200ResponseHeaders{ETag: etag(p)}}, nil
}

// UpdateProject implements StrictServerInterface.
func (s *Server) UpdateProject(ctx context.Context, request UpdateProjectRequestObject) (UpdateProjectResponseObject, error) {
	change, err := changeOf(request.Body)
	if err != nil {
		return nil, err
	}
	p, err := s.store(ctx).ChangeProject(ctx, request.Project, func(p project.Project) (project.Settings, error) {
		if want := request.Params.IfMatch; want != nil && *want != "*" && *want != etag(p) {
			return project.Settings{}, errStaleProject
		}
		return p.Apply(change)
	})
	if err != nil {
		return nil, err
	}
	p.Role = roleIn(ctx)
	return UpdateProject200JSONResponse{Body: projectAnswer(p), Headers: UpdateProject200ResponseHeaders{ETag: etag(p)}}, nil
}

// roleIn returns the role of the caller in the project of the request. A key with the scope admin is an owner; other keys are
// shown as viewers.
func roleIn(ctx context.Context) authn.Role {
	caller, _ := authn.Require(ctx) // the edge lets nobody else through
	switch {
	case caller.IsUser():
		return caller.Role
	case caller.HasScope(authn.ScopeAdmin):
		return authn.Owner
	default:
		return authn.Viewer
	}
}

func changeOf(patch *ProjectPatch) (c project.Change, err error) {
	c = project.Change{Name: patch.Name, TimeZone: patch.TimeZone, Currency: patch.Currency, WeekStart: patch.WeekStart, Archived: patch.Archived}
	if c.MaxEventAgeDays, err = clearable(patch.MaxEventAgeDays); err == nil {
		c.EventsPerSecond, err = clearable(patch.EventsPerSecond)
	}
	return c, err
}

// clearable returns nil for an absent member of a merge patch, and a pointer to nil for null.
func clearable(text json.RawMessage) (**int, error) {
	if text == nil {
		return nil, nil
	}
	var value *int
	if err := json.Unmarshal(text, &value); err != nil {
		return nil, fmt.Errorf("a number that the edge has checked: %w", err)
	}
	return &value, nil
}

func projectAnswer(p project.Project) ProjectDetails {
	return ProjectDetails{
		Slug: p.Slug, Name: p.Name, Role: ProjectRole(p.Role), TimeZone: p.TimeZone, Currency: p.Currency, WeekStart: p.WeekStart,
		MaxEventAgeDays: p.MaxEventAgeDays, EventsPerSecond: p.EventsPerSecond,
		ArchivedAt: inUTC(p.ArchivedAt), Version: p.Version, CreatedAt: p.CreatedAt.UTC(), UpdatedAt: p.UpdatedAt.UTC(), TimeZoneChange: zoneChangeAnswer(p.ZoneChange),
	}
}

// zoneFailure stands for the reason of a failure, which is for operators.
const zoneFailure = "The last step failed. It is tried again; the log of the aggregator and hp-analytics doctor name the reason."

func zoneChangeAnswer(c *project.ZoneChange) *TimeZoneChange {
	if c == nil {
		return nil
	}
	answer := &TimeZoneChange{
		From: c.From, To: c.To, State: TimeZoneChangeState(c.State), DaysDone: c.DaysDone, DaysTotal: c.DaysTotal, DaysKept: c.DaysKept,
		Since: inUTC(c.Since), StartedAt: inUTC(c.StartedAt), FinishedAt: inUTC(c.FinishedAt),
	}
	if c.Failure != "" {
		failure := zoneFailure
		answer.Failure = &failure
	}
	return answer
}

func inUTC(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	utc := t.UTC()
	return &utc
}

func etag(p project.Project) string { return `"` + strconv.FormatInt(p.Version, 10) + `"` }
