package importer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	openapi_types "github.com/oapi-codegen/runtime/types"

	"github.com/hp-analytics/hp-analytics/client"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer/group"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer/mapping"
)

// Platform is the target over HTTP. Its client repeats what fails for reasons that pass, and waits as long as the platform asks
// for (429, 503).
type Platform struct {
	Client *client.Client

	history string // the import that was announced; empty for none
}

// NewPlatform returns the target of a client.
func NewPlatform(c *client.Client) *Platform { return &Platform{Client: c} }

var _ Target = (*Platform)(nil)

// KeyError says that the platform does not let the API key import.
type KeyError struct{ Refusal *client.Error }

// Error says what is wrong with the key and what to do.
func (e *KeyError) Error() string {
	if e.Refusal.Status == http.StatusUnauthorized {
		return "the platform does not accept the API key in API_KEY. Is it complete, not revoked, and of this installation? (" + reason(e.Refusal) + ")"
	}
	return "the API key in API_KEY may not import this. Products need the scope admin, everything else needs the scope ingest (" + reason(e.Refusal) + ")"
}

// Unwrap returns the refusal.
func (e *KeyError) Unwrap() error { return e.Refusal }

// CheckKey returns a *KeyError if the key may not import rows of a kind. It sends an empty request, of which nothing is stored: who may
// send something is checked before what is sent.
func (p *Platform) CheckKey(ctx context.Context, kind mapping.Kind) error {
	var err error
	if kind == mapping.Products {
		_, err = p.Client.BulkUpsertProducts(ctx, client.ProductBulkRequest{Products: []client.ProductBulkItem{}})
	} else {
		_, err = p.Client.CreateEventsBulk(ctx, client.EventBulkRequest{Events: []client.EventInput{}}, nil)
	}
	refusal, ok := errors.AsType[*client.Error](err)
	switch {
	case ok && (refusal.Status == http.StatusUnauthorized || refusal.Status == http.StatusForbidden):
		return &KeyError{Refusal: refusal}
	case ok && concernsContent(refusal): // it is empty
		return nil
	case err != nil:
		return fmt.Errorf("check the API key: %w", err)
	}
	return nil
}

// Begin implements Target. Without the scope admin nothing is announced, and events that are too old are refused.
func (p *Platform) Begin(ctx context.Context, id string, first, last time.Time) error {
	_, err := p.Client.BeginImport(ctx, client.ImportRequest{ID: id, From: openapi_types.Date{Time: first}, To: openapi_types.Date{Time: last}})
	if refusal, ok := errors.AsType[*client.Error](err); ok && refusal.Status == http.StatusForbidden {
		return nil
	}
	if err != nil {
		return fmt.Errorf("announce the import: %w", err)
	}
	p.history = id
	return nil
}

// Finish implements Target.
func (p *Platform) Finish(ctx context.Context) error {
	if p.history == "" {
		return nil
	}
	_, err := p.Client.FinishImport(ctx, p.history)
	p.history = ""
	return err
}

// Send implements Target. A request that is refused as a whole is sent again in halves, until the item at fault is alone.
func (p *Platform) Send(ctx context.Context, kind mapping.Kind, items []group.Item) ([]Outcome, error) {
	outcomes, err := p.send(ctx, kind, items)
	refusal, ok := errors.AsType[*client.Error](err)
	switch {
	case !ok || !concernsContent(refusal):
		return outcomes, err
	case len(items) == 1:
		return []Outcome{{Refused, reason(refusal)}}, nil
	}
	half := len(items) / 2
	outcomes, err = p.Send(ctx, kind, items[:half])
	if err != nil {
		return nil, err
	}
	rest, err := p.Send(ctx, kind, items[half:])
	return append(outcomes, rest...), err
}

// concernsContent reports whether other content would not be refused.
func concernsContent(e *client.Error) bool {
	switch e.Status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return e.Code != "unknown_import" && e.Code != "project_required"
	default:
		return false
	}
}

// reason returns what is wrong in one line.
func reason(e *client.Error) string {
	code, detail := e.Code, e.Detail
	if len(e.Errors) > 0 {
		code, detail = e.Errors[0].Code, e.Errors[0].Detail
	}
	if code == "" {
		return fmt.Sprintf("%d %s", e.Status, e.Title)
	}
	return code + ": " + detail
}

func (p *Platform) send(ctx context.Context, kind mapping.Kind, items []group.Item) ([]Outcome, error) {
	switch kind {
	case mapping.Products:
		return p.products(ctx, items)
	case mapping.Events:
		return p.events(ctx, items)
	case mapping.Orders:
		return p.orders(ctx, items)
	default:
		return p.refunds(ctx, items)
	}
}

func (p *Platform) products(ctx context.Context, items []group.Item) ([]Outcome, error) {
	body := client.ProductBulkRequest{Products: make([]client.ProductBulkItem, len(items))}
	for i, item := range items {
		body.Products[i] = product(item)
	}
	result, err := p.Client.BulkUpsertProducts(ctx, body)
	if err = bulkResult(err, &result); err != nil {
		return nil, err
	}
	return outcomes(len(items), result.Created+result.Updated+result.Reactivated, result.Errors)
}

func (p *Platform) events(ctx context.Context, items []group.Item) ([]Outcome, error) {
	body := client.EventBulkRequest{Events: make([]client.EventInput, len(items))}
	for i, item := range items {
		body.Events[i] = event(item)
	}
	result, err := p.Client.CreateEventsBulk(ctx, body, &client.CreateEventsBulkParams{Import: p.history}, client.Compressed(client.Zstd))
	if err = bulkResult(err, &result); err != nil {
		return nil, err
	}
	return outcomes(len(items), result.Accepted, result.Errors)
}

func (p *Platform) orders(ctx context.Context, items []group.Item) ([]Outcome, error) {
	body := client.OrderBulkRequest{Orders: make([]client.OrderRequest, len(items))}
	for i, item := range items {
		body.Orders[i] = order(item)
	}
	result, err := p.Client.CreateOrdersBulk(ctx, body, nil, client.Compressed(client.Zstd))
	if err = bulkResult(err, &result); err != nil {
		return nil, err
	}
	return outcomes(len(items), result.Accepted, result.Errors)
}

// refunds sends those that name an order one by one, and the others in one request.
func (p *Platform) refunds(ctx context.Context, items []group.Item) ([]Outcome, error) {
	all := make([]Outcome, len(items))
	var standalone []client.StandaloneRefundRequest
	var index []int
	for i, item := range items {
		if item.Facts[0].Order == "" {
			standalone, index = append(standalone, standaloneRefund(item)), append(index, i)
			continue
		}
		var err error
		if all[i], err = p.refundOrder(ctx, item); err != nil {
			return nil, err
		}
	}
	if len(standalone) == 0 {
		return all, nil
	}
	result, err := p.Client.CreateStandaloneRefundsBulk(ctx, client.StandaloneRefundBulkRequest{Refunds: standalone}, nil, client.Compressed(client.Zstd))
	if err = bulkResult(err, &result); err != nil {
		return nil, err
	}
	found, err := outcomes(len(standalone), result.Accepted, result.Errors)
	for n := range found {
		all[index[n]] = found[n]
	}
	return all, err
}

func (p *Platform) refundOrder(ctx context.Context, item group.Item) (Outcome, error) {
	var header http.Header
	_, err := p.Client.CreateRefund(ctx, item.Facts[0].Order, refund(item), nil, client.ResponseHeader(&header))
	refusal, ok := errors.AsType[*client.Error](err)
	switch {
	case ok && (concernsContent(refusal) || refusal.Status == http.StatusNotFound || refusal.Status == http.StatusConflict):
		return Outcome{Refused, reason(refusal)}, nil
	case err != nil:
		return Outcome{}, err
	case header.Get("Idempotency-Replayed") == "true":
		return Outcome{Status: Known}, nil
	}
	return Outcome{Status: Imported}, nil
}

// bulkResult reads the result of a request of which every item was refused from its error.
func bulkResult(err error, result any) error {
	refusal, ok := errors.AsType[*client.Error](err)
	if ok && refusal.Status == http.StatusUnprocessableEntity && refusal.Code == "" && json.Unmarshal(refusal.Body, result) == nil {
		return nil
	}
	return err
}

// outcomes returns what became of the items of a bulk request, with all problems of each that was refused. The answer says how many are
// new, and not which: the first ones that were not refused are called so.
func outcomes(items, imported int, refused []client.ItemError) ([]Outcome, error) {
	all := make([]Outcome, items)
	for _, e := range refused {
		if e.Index < 0 || e.Index >= items {
			return nil, fmt.Errorf("the platform refused item %d of %d", e.Index, items)
		}
		if reason := e.Code + ": " + e.Detail; all[e.Index].Status == Refused {
			all[e.Index].Reason += " " + reason
		} else {
			all[e.Index] = Outcome{Refused, reason}
		}
	}
	for i := range all {
		switch {
		case all[i].Status == Refused:
		case imported > 0:
			all[i].Status = Imported
			imported--
		default:
			all[i].Status = Known
		}
	}
	return all, nil
}
