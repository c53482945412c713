package edge

import (
	"errors"
	"net/http"

	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// project says whether the callers of an operation act in a project, and where requests name it.
type project struct {
	in   bool
	path bool // in the path, not in a header
	// changes says that the operation is refused in an archived project.
	changes bool
}

// newProject returns the rule of an operation.
func newProject(o *contract.Operation) project {
	reads := o.Method == http.MethodGet || o.Method == http.MethodHead
	return project{in: o.InProject, path: o.ProjectInPath, changes: !reads && !o.Access.Archived}
}

// errArchived is the answer to a change in an archived project. Its members may know that it is there.
var errArchived = errs.New(errs.Forbidden, "project_archived",
	"The project is archived: it can be read, and takes no changes. An owner unarchives it with PATCH /auth/projects/{project} and {\"archived\": false}.")

var (
	errUnknownProject = errs.New(errs.NotFound, "unknown_project", "There is no such project, or you take no part in it.")
	errProjectNamed   = errs.New(errs.Malformed, "project_required",
		"The header Project names one project. Send it once, with the name of the project, or not at all.")
)

// enter returns the caller in the project of the request. A project that the caller may not act in is answered as if it did not
// exist.
func (p project) enter(authenticator Authenticator, r *http.Request, caller authn.Principal) (authn.Principal, error) {
	if !p.in {
		return caller, nil
	}
	slug, err := p.named(r)
	if err != nil {
		return authn.Principal{}, err
	}
	caller, err = authenticator.Enter(r.Context(), caller, slug)
	if p.path && errors.Is(err, authn.ErrProjectForbidden) {
		err = errUnknownProject.Because(err)
	}
	if err == nil && p.changes && caller.Project.Archived {
		return authn.Principal{}, errArchived
	}
	return caller, err
}

// named returns the slug in the request; empty if it has none.
func (p project) named(r *http.Request) (string, error) {
	if p.path {
		if slug := contract.PathParameter(r, contract.ProjectParameter); slug != "" {
			return slug, nil
		}
		return "", errUnknownProject
	}
	switch names := r.Header.Values(contract.ProjectHeader); {
	case len(names) == 0:
		return "", nil
	case len(names) > 1 || names[0] == "":
		return "", errProjectNamed
	default:
		return names[0], nil
	}
}
