package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/google/uuid"
	openapi_types "github.com/oapi-codegen/runtime/types"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
	"github.com/hp-analytics/hp-analytics/internal/platform/rows"
	"github.com/hp-analytics/hp-analytics/internal/protocol/exported"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/userexport"
)

// ExportUser answers GET /users/{id}/export.
func (h *History) ExportUser(w http.ResponseWriter, r *http.Request, id string, params ExportUserParams) {
	answer := h.answer(w, rows.NDJSON)
	h.end(answer, r, h.exportUser(r, answer, id, params))
}

func (h *History) exportUser(r *http.Request, answer *exportAnswer, id string, params ExportUserParams) (err error) {
	caller, err := h.charge(r.Context(), answer.w, exportCost)
	if err != nil {
		return err
	}
	defer h.settle(r.Context(), answer, caller, &err)
	request := userexport.Request{Project: caller.Project.ID, Subject: normal(id), By: caller.ID()}
	if params.Kind != nil {
		request.Anonymous = new(*params.Kind == ExportUserParamsKindAnonymousID)
	}
	release, err := h.slot(r.Context())
	if err != nil {
		return err
	}
	defer release()
	if err := h.store.CheckExport(r.Context(), request); err != nil {
		return err
	}
	if r.Method == http.MethodHead {
		answer.begin()
		return nil
	}
	export, err := h.store.BeginExport(r.Context(), request)
	if err != nil {
		return err
	}
	ctx, cancel := h.withDeadline(r.Context(), answer)
	defer cancel()
	return h.sendUser(ctx, answer, request, export)
}

// sendUser writes the lines of an export and its receipt. The receipt is kept before it is written, so whoever has it can compare.
func (h *History) sendUser(ctx context.Context, answer *exportAnswer, request userexport.Request, export uuid.UUID) error {
	writer, err := rows.NewWriter(answer, rows.NDJSON, nil)
	if err != nil {
		return err
	}
	write := func(line UserExportLine) ([]byte, error) {
		encoded, err := json.Marshal(line)
		if err != nil {
			return nil, fmt.Errorf("encode a line: %w", err)
		}
		answer.sent++
		return encoded, writer.Write(encoded)
	}
	receipt, sum := exported.Receipt{ID: export, RequestedBy: request.By}, exported.NewSum()
	receipt.SnapshotAt, err = h.store.ExportUser(ctx, request, func(l userexport.Line) error {
		line := userExportLine(l)
		encoded, err := write(line)
		if err == nil {
			sum.Add(exported.Kind(line.Kind), encoded)
		}
		return err
	})
	if err != nil {
		return err
	}
	sum.Fill(&receipt)
	if err := h.store.FinishExport(ctx, request.Project, receipt); err != nil {
		return err
	}
	if _, err := write(UserExportLine{Kind: UserExportLineKindReceipt, Receipt: new(receiptLine(receipt))}); err != nil {
		return err
	}
	return writer.Flush()
}

// GetExport answers GET /exports/{id}.
func (h *History) GetExport(w http.ResponseWriter, r *http.Request, id openapi_types.UUID) {
	if err := h.getExport(w, r, id); err != nil {
		problem.Write(w, r, err)
	}
}

func (h *History) getExport(w http.ResponseWriter, r *http.Request, id uuid.UUID) error {
	caller, err := authn.Require(r.Context())
	if err != nil {
		return err
	}
	receipt, err := h.store.Export(r.Context(), caller.Project.ID, id)
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, userExportAnswer(receipt))
}

// ListExports answers GET /exports.
func (h *History) ListExports(w http.ResponseWriter, r *http.Request, params ListExportsParams) {
	if err := h.listExports(w, r, params); err != nil {
		problem.Write(w, r, err)
	}
}

func (h *History) listExports(w http.ResponseWriter, r *http.Request, params ListExportsParams) error {
	caller, err := authn.Require(r.Context())
	if err != nil {
		return err
	}
	limit := valueOr(params.Limit, defaultPage)
	receipts, err := h.store.Exports(r.Context(), caller.Project.ID, params.Cursor, limit+1)
	if err != nil {
		return err
	}
	answer := UserExportPage{Items: []UserExport{}}
	for i := range receipts {
		if i == limit {
			answer.NextCursor = &receipts[i-1].ID
			break
		}
		answer.Items = append(answer.Items, userExportAnswer(receipts[i]))
	}
	return respond(w, http.StatusOK, answer)
}
