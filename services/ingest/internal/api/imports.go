package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
	openapi_types "github.com/oapi-codegen/runtime/types"

	"github.com/hp-analytics/hp-analytics/internal/identifier"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// BeginImport answers POST /imports. The edge has validated the body.
func (s *Server) BeginImport(w http.ResponseWriter, r *http.Request) {
	if err := s.beginImport(w, r); err != nil {
		problem.Write(w, r, err)
	}
}

func (s *Server) beginImport(w http.ResponseWriter, r *http.Request) error {
	caller, err := authn.Require(r.Context())
	if err != nil {
		return err
	}
	var request ImportRequest
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		return fmt.Errorf("decode a validated body: %w", err)
	}
	begun, err := importOf(caller, request)
	if err != nil {
		return err
	}
	if begun, err = s.store.BeginImport(r.Context(), begun); err != nil {
		return err
	}
	return respond(w, http.StatusOK, importAnswer(begun))
}

func importOf(caller authn.Principal, request ImportRequest) (event.Import, error) {
	id, err := identifier.ID(caller.Project.ID, "", request.ID)
	if err != nil {
		return event.Import{}, event.Refusal([]errs.Field{{Pointer: "/id", Code: event.CodeInvalidValue, Detail: "id " + err.Error() + "."}})
	}
	first, last := request.From.UTC(), request.To.UTC()
	if first.Before(event.Earliest) {
		return event.Import{}, event.Refusal([]errs.Field{{
			Pointer: "/from", Code: event.CodeInvalidValue, Detail: "from must not be before " + event.Earliest.Format(time.DateOnly) + ", the earliest day that every report shows.",
		}})
	}
	if last.Before(first) || last.After(first.AddDate(0, 0, event.MaxImportDays)) {
		return event.Import{}, event.Refusal([]errs.Field{{
			Pointer: "/to", Code: event.CodeInvalidValue, Detail: fmt.Sprintf("to must be from 0 to %d days after from.", event.MaxImportDays),
		}})
	}
	return event.Import{Project: caller.Project.ID, ID: id, First: first, Last: last}, nil
}

// GetImport answers GET /imports/{id}.
func (s *Server) GetImport(w http.ResponseWriter, r *http.Request, id string) {
	s.answerImport(w, r, id, func(project int16, id uuid.UUID) (event.Import, error) {
		return s.store.Import(r.Context(), project, id)
	})
}

// FinishImport answers DELETE /imports/{id}.
func (s *Server) FinishImport(w http.ResponseWriter, r *http.Request, id string) {
	s.answerImport(w, r, id, func(project int16, id uuid.UUID) (event.Import, error) {
		return s.store.FinishImport(r.Context(), project, id)
	})
}

func (s *Server) answerImport(w http.ResponseWriter, r *http.Request, id string, of func(project int16, id uuid.UUID) (event.Import, error)) {
	caller, err := authn.Require(r.Context())
	var mapped uuid.UUID
	if err == nil {
		if mapped, err = identifier.ID(caller.Project.ID, "", id); err != nil { // no import has it
			err = errs.New(errs.NotFound, "not_found", "There is no import with this id.").Because(err)
		}
	}
	var found event.Import
	if err == nil {
		found, err = of(caller.Project.ID, mapped)
	}
	if err == nil {
		err = respond(w, http.StatusOK, importAnswer(found))
	}
	if err != nil {
		problem.Write(w, r, err)
	}
}

// history returns the import that a request names, or nil if it names none.
func (s *Server) history(r *http.Request, caller authn.Principal, named *string) (*event.Import, error) {
	if named == nil {
		return nil, nil
	}
	if caller.IsUser() && caller.Role != authn.Owner || !caller.IsUser() && !caller.HasScope(authn.ScopeAdmin) {
		return nil, errs.New(errs.Forbidden, "forbidden", "Events of an import need the role owner or the scope admin.")
	}
	id, err := identifier.ID(caller.Project.ID, "", *named)
	if err != nil {
		return nil, event.ErrUnknownImport
	}
	found, err := s.store.Import(r.Context(), caller.Project.ID, id)
	switch {
	case errs.Is(err, errs.NotFound), err == nil && found.FinishedAt != nil:
		return nil, event.ErrUnknownImport
	case err != nil:
		return nil, err
	}
	return &found, nil
}

func importAnswer(i event.Import) Import {
	answer := Import{ID: i.ID, From: openapi_types.Date{Time: i.First}, To: openapi_types.Date{Time: i.Last}, BegunAt: i.BegunAt.UTC()}
	if i.FinishedAt != nil {
		answer.FinishedAt = utc(*i.FinishedAt)
	}
	if i.ProvenAt != nil {
		answer.ProvenAt = utc(*i.ProvenAt)
	}
	return answer
}
