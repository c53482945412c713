package accounts

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/audit"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/project"
)

// DefaultProject is the slug of the project that the schema begins with.
const DefaultProject = "default"

// Project is a project as listed.
type Project = project.Project

// ProjectChange is a change of the settings of a project; nil leaves a setting as it is.
type ProjectChange = project.Change

// ZoneChange is a change of the time zone of a project.
type ZoneChange = project.ZoneChange

// The states of a ZoneChange that callers tell apart.
const (
	ZoneDone    = project.ZoneDone
	ZoneFailing = project.ZoneFailing
)

// Member is a member of a project as listed.
type Member = project.Member

// Projects calls yield with every project, in the order of their slugs, until yield returns an error. The pool must act as hp_auth.
func Projects(ctx context.Context, pool *pgxpool.Pool, yield func(Project) error) error {
	store, after := postgres.Store{Pool: pool}, ""
	for {
		page, err := store.Projects(ctx, uuid.Nil, true, after, pageSize)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, p := range page {
			if err := yield(p); err != nil {
				return err
			}
		}
		after = page[len(page)-1].Slug
	}
}

// FindProject returns a project by its slug, or NotFound. The pool must act as hp_auth.
func FindProject(ctx context.Context, pool *pgxpool.Pool, slug string) (Project, error) {
	return postgres.Store{Pool: pool}.Project(ctx, slug)
}

// CreateProject makes a project without members, by the rules of POST /auth/projects. The pool must act as hp_auth.
func CreateProject(ctx context.Context, pool *pgxpool.Pool, slug, name string, change ProjectChange) (Project, error) {
	if err := project.CheckSlug(slug); err != nil {
		return Project{}, err
	}
	settings, err := project.Defaults(name).Apply(change)
	if err != nil {
		return Project{}, err
	}
	return postgres.Store{Pool: pool}.CreateProject(audit.WithCommand(ctx), slug, settings)
}

// ChangeProject changes a project, by the rules of PATCH /auth/projects/{project}. The pool must act as hp_auth.
func ChangeProject(ctx context.Context, pool *pgxpool.Pool, slug string, change ProjectChange) (Project, error) {
	return postgres.Store{Pool: pool}.ChangeProject(audit.WithCommand(ctx), slug, func(p Project) (project.Settings, error) { return p.Apply(change) })
}

// Members calls yield with every member of a project, until yield returns an error. It returns NotFound for an unknown project. The
// pool must act as hp_auth.
func Members(ctx context.Context, pool *pgxpool.Pool, slug string, yield func(Member) error) error {
	store := postgres.Store{Pool: pool}
	in, err := store.Project(ctx, slug)
	if err != nil {
		return err
	}
	var after *uuid.UUID
	for {
		page, err := store.Members(ctx, in.ID, after, pageSize)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, m := range page {
			if err := yield(m); err != nil {
				return err
			}
		}
		after = &page[len(page)-1].UserID
	}
}

// SetMember gives the account of an e-mail address a role in a project, or, for an empty role, ends its membership. It returns
// NotFound for an unknown project, account or membership. The pool must act as hp_auth.
func SetMember(ctx context.Context, pool *pgxpool.Pool, slug, email string, role authn.Role) error {
	store := postgres.Store{Pool: pool}
	in, err := store.Project(ctx, slug)
	if err != nil {
		return err
	}
	a, err := byEmail(ctx, store, email)
	if err != nil {
		return err
	}
	if role == "" {
		return store.RemoveMember(audit.WithCommand(ctx), in.ID, a.ID)
	}
	_, err = store.PutMember(audit.WithCommand(ctx), in.ID, a.ID, role)
	return err
}
