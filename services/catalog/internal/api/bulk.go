package api

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/body"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/inflight"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
	"github.com/hp-analytics/hp-analytics/services/catalog/internal/product"
)

// MaxBulkBytes is the decoded length of a bulk request at most: 1,000 products with descriptions of 4,000 characters, each of up
// to four bytes.
const MaxBulkBytes = 16 << 20

var errBulkTooLarge = errs.New(errs.TooLarge, "body_too_large", fmt.Sprintf("The body has at most %d bytes, decoded.", MaxBulkBytes))

// bulkResult is the schema ProductBulkResult, which is not generated.
type bulkResult struct {
	Created     int         `json:"created"`
	Updated     int         `json:"updated"`
	Reactivated int         `json:"reactivated"`
	Unchanged   int         `json:"unchanged"`
	Archived    int         `json:"archived"`
	Errors      []itemError `json:"errors"`
}

// itemError is the schema ItemError.
type itemError struct {
	Index int `json:"index"`
	errs.Field
}

// BulkUpsertProducts answers POST /products/bulk. It is not generated, because it reads its body by itself: the body may be
// compressed or have one product a line, and a bad product must not fail the others.
func (s *Server) BulkUpsertProducts(w http.ResponseWriter, r *http.Request) {
	bulk, err := s.upsert(w, r)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	content, err := json.Marshal(bulkAnswer(bulk))
	if err != nil {
		problem.Write(w, r, fmt.Errorf("encode the answer: %w", err))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	w.Write(append(content, '\n'))
}

// upsert writes the products of the body. The memory of the body is released when it returns.
func (s *Server) upsert(w http.ResponseWriter, r *http.Request) (*product.Bulk, error) {
	caller, err := authn.Require(r.Context())
	if err != nil {
		return nil, err
	}
	format, err := body.FormatOf(r)
	if err != nil {
		return nil, err
	}
	content, err := s.bodies.Open(w, r, body.Terms{
		Holder: inflight.Holder{Caller: caller.Owner, Address: httpserver.ClientNetwork(r.Context())},
		Bytes:  MaxBulkBytes, TooLarge: errBulkTooLarge,
	})
	if err != nil {
		return nil, err
	}
	defer content.Close()
	data, err := content.ReadAll()
	if err != nil {
		return nil, err
	}
	items, err := itemsOf(data, format)
	if err != nil {
		return nil, err
	}
	var bulk product.Bulk
	for i, raw := range items {
		if sku, patch, err := parseItem(raw); err != nil {
			bulk.Refuse(i, err)
		} else {
			bulk.Add(i, sku, patch)
		}
	}
	err = s.store.Upsert(r.Context(), caller.Project.ID, &bulk)
	if bulk.Created > 0 || len(bulk.Changed) > 0 {
		s.answers.changed(r.Context(), caller.Project.ID, bulk.Changed...) // after an error, too: what came before it is committed
	}
	if err != nil {
		return nil, err
	}
	return &bulk, nil
}

func bulkAnswer(bulk *product.Bulk) bulkResult {
	result := bulkResult{
		Created:     bulk.Created,
		Updated:     bulk.Updated,
		Reactivated: bulk.Reactivated,
		Unchanged:   bulk.Unchanged,
		Archived:    bulk.Archived,
		Errors:      make([]itemError, len(bulk.Refusals)),
	}
	for i, r := range bulk.Refusals {
		result.Errors[i] = itemError(r)
	}
	return result
}
