package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/rows"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/journal"
)

// defaultAuditLimit is the length of a page of the audit log if the request has no limit.
const defaultAuditLimit = 100

// ListAudit implements StrictServerInterface.
func (s *Server) ListAudit(ctx context.Context, request ListAuditRequestObject) (ListAuditResponseObject, error) {
	p := request.Params
	f := journal.Filter{Actor: value(p.Actor), ActionPrefix: value(p.Action), Project: value(p.Project), From: p.From, To: p.To}
	page, err := s.journal(ctx, f, p.Limit, p.Cursor)
	return ListAudit200JSONResponse(page), err
}

// ListProjectAudit implements StrictServerInterface.
func (s *Server) ListProjectAudit(ctx context.Context, request ListProjectAuditRequestObject) (ListProjectAuditResponseObject, error) {
	p := request.Params
	f := journal.Filter{Actor: value(p.Actor), ActionPrefix: value(p.Action), Project: projectOf(ctx).Slug, From: p.From, To: p.To}
	page, err := s.journal(ctx, f, p.Limit, p.Cursor)
	return ListProjectAudit200JSONResponse(page), err
}

// journal returns a page of the audit log.
func (s *Server) journal(ctx context.Context, f journal.Filter, limit *int, cursor *uuid.UUID) (AuditLog, error) {
	n := defaultAuditLimit
	if limit != nil {
		n = *limit
	}
	entries, err := s.Store.Journal(ctx, f, cursor, n+1) // one more tells whether there is a next page
	if err != nil {
		return AuditLog{}, err
	}
	page := AuditLog{Items: make([]AuditEntry, 0, len(entries))}
	if len(entries) > n {
		entries = entries[:n]
		page.NextCursor = &entries[n-1].ID
	}
	for _, e := range entries {
		answer, err := entryAnswer(e)
		if err != nil {
			return AuditLog{}, err
		}
		page.Items = append(page.Items, answer)
	}
	return page, nil
}

func entryAnswer(e journal.Entry) (AuditEntry, error) {
	a := AuditEntry{
		ID: e.ID, At: e.At.UTC(), Actor: AuditActor{Kind: AuditActorKind(e.ActorKind), ID: e.Actor, Email: e.Email}, Project: e.Project,
		Action: e.Action, Subject: e.Subject, RequestID: e.RequestID,
	}
	if e.Address != nil {
		a.Address = new(e.Address.String())
	}
	if err := json.Unmarshal(e.Details, &a.Details); err != nil {
		return AuditEntry{}, fmt.Errorf("the details of an audit entry: %w", err)
	}
	return a, nil
}

// value returns the value of a parameter; empty if the request does not have it.
func value(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}

// auditColumns are the columns of the audit log in CSV.
var auditColumns = []string{
	"id", "at", "actor.kind", "actor.id", "actor.email", "project", "action", "subject", "details", "request_id", "address",
}

// tabular answers with the rows of the audit log when a request asks for them.
func tabular(next StrictHandlerFunc, _ string) StrictHandlerFunc {
	return func(ctx context.Context, w http.ResponseWriter, r *http.Request, request any) (any, error) {
		response, err := next(ctx, w, r, request)
		var page AuditLog
		switch answer := response.(type) {
		case ListAudit200JSONResponse:
			page = AuditLog(answer)
		case ListProjectAudit200JSONResponse:
			page = AuditLog(answer)
		default:
			return response, err
		}
		w.Header().Add("Vary", "Accept")
		format := rows.Negotiate(r.Header, rows.JSON, rows.CSV, rows.NDJSON)
		if err != nil || format == rows.JSON {
			return response, err
		}
		return nil, writeRows(w, format, page)
	}
}

// writeRows writes a page of the audit log as rows, with its cursor in a header.
func writeRows(w http.ResponseWriter, format rows.Format, page AuditLog) error {
	var body bytes.Buffer
	writer, err := rows.NewWriter(&body, format, auditColumns)
	if err != nil {
		return err
	}
	for _, entry := range page.Items {
		row, err := json.Marshal(entry)
		if err != nil {
			return fmt.Errorf("encode an audit entry: %w", err)
		}
		if err := writer.Write(row); err != nil {
			return err
		}
	}
	if err := writer.Flush(); err != nil {
		return err
	}
	if page.NextCursor != nil {
		w.Header().Set("Next-Cursor", page.NextCursor.String())
	}
	w.Header().Set("Content-Type", format.ContentType())
	_, err = body.WriteTo(w)
	return err
}
