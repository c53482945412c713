package authn

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

const (
	// maxPlaces bounds the cache of memberships: about 10 MB.
	maxPlaces = 10_000
	// placeTTL is how long a membership is cached. Together with the time of a query, one that has ended stops working in less than
	// 5 s.
	placeTTL = 4 * time.Second
	// maxNamed is how many memberships of an account are read and named when a request does not say which it means.
	maxNamed = 20
)

// Membership is a project with the role that a user has there.
type Membership struct {
	Project Project
	Role    Role // Owner, Analyst or Viewer; empty for a user who is no member
}

// ProjectStore finds projects.
type ProjectStore interface {
	// Named returns the project with a slug and the role that a user has there, or NotFound.
	Named(ctx context.Context, user, slug string) (Membership, error)
	// Memberships returns up to limit memberships of a user, ordered by slug. For a user without any, and for user "", it returns
	// the default project without a role.
	Memberships(ctx context.Context, user string, limit int) ([]Membership, error)
}

// ErrProjectForbidden is the answer to whoever names a project that does not exist, or in which they may not act: a stranger
// cannot tell which it is.
var ErrProjectForbidden error = errs.New(errs.Forbidden, "project_forbidden", "There is no such project, or you may not act in it.")

// slugs is the form of the names of projects, as in the table auth.projects.
var slugs = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// IsSlug reports whether a project can have the name s.
func IsSlug(s string) bool { return slugs.MatchString(s) }

// placeCache remembers where users act. What a user may not do is not remembered, so that a new membership works at once.
type placeCache struct {
	store ProjectStore
	cache *otter.Cache[placeKey, []Membership] // nil: nothing is remembered
	// standard is the default project as it was last read. It says nothing about rights, so it serves while Postgres is away.
	standard atomic.Pointer[Project]
}

// placeKey is a user, or "" for anonymous callers, and the slug that the request names, or "".
type placeKey struct{ user, slug string }

func newPlaceCache(store ProjectStore) *placeCache {
	return &placeCache{store: store, cache: otter.Must(&otter.Options[placeKey, []Membership]{
		MaximumSize: maxPlaces, ExpiryCalculator: otter.ExpiryWriting[placeKey, []Membership](placeTTL),
	})}
}

func (c *placeCache) stop() {
	if c.cache != nil {
		c.cache.StopAllGoroutines()
	}
}

// Enter returns the caller in the project that it acts in: the one that slug names, or, if slug is empty, its only one, or the
// default project. The zero Principal stands for an anonymous caller, who acts in the default project. Enter returns
// ErrProjectForbidden, or Malformed with the code project_required for a member of several projects without a slug.
func (v *Verifier) Enter(ctx context.Context, caller Principal, slug string) (Principal, error) {
	switch {
	case slug != "" && !IsSlug(slug):
		return Principal{}, ErrProjectForbidden
	case caller.KeyID != "":
		if slug != "" && slug != caller.Project.Slug {
			return Principal{}, errKeyElsewhere(caller.Project.Slug)
		}
		return caller, nil
	case caller.Subject == "":
		project, err := v.places.defaultProject(ctx)
		if err == nil && slug != "" && slug != project.Slug {
			err = ErrProjectForbidden
		}
		return Principal{Project: project, Guest: true}, err
	}
	key := placeKey{user: caller.Subject, slug: slug}
	place, err := v.places.find(ctx, key)
	if err != nil {
		return Principal{}, err
	}
	caller, allowed := caller.in(place)
	if !allowed {
		v.places.forget(key)
		return Principal{}, ErrProjectForbidden
	}
	return caller, nil
}

// defaultProject returns the project of anonymous callers.
func (c *placeCache) defaultProject(ctx context.Context) (Project, error) {
	place, err := c.find(ctx, placeKey{})
	if err == nil {
		c.standard.Store(&place.Project)
		return place.Project, nil
	}
	if known := c.standard.Load(); known != nil {
		return *known, nil
	}
	return Project{}, err
}

// find returns the project that a key means.
func (c *placeCache) find(ctx context.Context, key placeKey) (Membership, error) {
	var places []Membership
	var err error
	if c.cache == nil {
		places, err = c.load(ctx, key)
	} else {
		places, err = c.cache.Get(ctx, key, otter.LoaderFunc[placeKey, []Membership](c.load))
	}
	switch {
	case errs.Is(err, errs.NotFound):
		return Membership{}, ErrProjectForbidden
	case err != nil:
		return Membership{}, err
	case len(places) > 1:
		return Membership{}, errSeveral(places)
	}
	return places[0], nil
}

func (c *placeCache) forget(key placeKey) {
	if c.cache != nil {
		c.cache.Invalidate(key)
	}
}

// load reads what a key means. An error is not cached.
func (c *placeCache) load(ctx context.Context, key placeKey) ([]Membership, error) {
	if key.slug == "" {
		places, err := c.store.Memberships(ctx, key.user, maxNamed+1)
		if err == nil && len(places) == 0 {
			err = errs.New(errs.Internal, "no_default_project", "The default project is missing.")
		}
		if err != nil {
			return nil, fmt.Errorf("find the projects of an account: %w", err)
		}
		return places, nil
	}
	place, err := c.store.Named(ctx, key.user, key.slug)
	if err != nil {
		return nil, fmt.Errorf("find a project: %w", err)
	}
	return []Membership{place}, nil
}

// errKeyElsewhere tells the holder of a key which project it acts in. It is an ErrProjectForbidden.
func errKeyElsewhere(slug string) error {
	return errs.New(errs.Forbidden, "project_forbidden", "This API key acts in the project "+slug+" only. Leave the header Project away, "+
		"or use a key of the project that it names.").Because(ErrProjectForbidden)
}

// errSeveral tells a member of several projects how to name one.
func errSeveral(places []Membership) error {
	var names []string
	for _, place := range places[:min(len(places), maxNamed)] {
		names = append(names, place.Project.Slug)
	}
	list := strings.Join(names, ", ")
	if len(places) > maxNamed {
		list += ", …"
	}
	example := cmp.Or(names[0], "default")
	return errs.New(errs.Malformed, "project_required",
		"The account is a member of several projects ("+list+"). Name one in a header, such as Project: "+example+".")
}
